"""Sessions of clients' people."""
