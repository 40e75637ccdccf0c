"""What waits and runs, as seen by those who watch it."""
