"""Contacts: the people at a client."""
