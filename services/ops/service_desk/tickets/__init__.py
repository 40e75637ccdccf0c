"""Tickets: the promises of the service desk."""
