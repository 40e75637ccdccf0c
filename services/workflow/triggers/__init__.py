"""Triggers: events that start reasoners."""
