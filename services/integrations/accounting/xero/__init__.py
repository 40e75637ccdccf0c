"""Xero, by its own SDK."""
