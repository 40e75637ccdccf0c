"""Service levels: business time, the clock of a ticket, the detection of breaches."""
