"""SLA policies: what is promised to clients, and on which clock."""
