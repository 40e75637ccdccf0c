"""What the provider knows, written down: runbooks and articles."""
