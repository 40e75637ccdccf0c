"""Secrets: set by administrators, used by the services they belong to, read back by nobody."""
