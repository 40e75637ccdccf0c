"""Clients: the companies whose IT the provider runs."""
