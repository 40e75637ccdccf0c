"""GitHub tells what happens in repositories."""
