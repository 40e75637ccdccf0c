"""Executions at a glance: a part of the dashboard."""
