"""Planned work on what runs."""
