"""Monitoring: what is noticed about the clients' IT."""
