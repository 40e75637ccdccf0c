"""Summaries: what is open and how it went, at a glance."""
