"""Whether executions run, tried out."""
