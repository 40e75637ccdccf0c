"""What executions propose, and how it is done."""
