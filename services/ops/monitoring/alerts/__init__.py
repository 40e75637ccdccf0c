"""Alerts: what monitoring has noticed."""
