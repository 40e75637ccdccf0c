"""What runs executions."""
