"""Endpoint agents: who they are, and what they measured last."""
