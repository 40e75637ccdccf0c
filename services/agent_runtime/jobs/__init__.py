"""Jobs: one for each attempt of an execution."""
