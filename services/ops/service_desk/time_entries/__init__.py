"""Time entries: the work on tickets."""
