"""Runbooks: how something is done, step by step."""
