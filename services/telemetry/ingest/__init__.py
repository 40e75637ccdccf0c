"""Batches of telemetry: read, checked, stored, judged."""
