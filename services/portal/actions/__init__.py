"""What clients' people do."""
