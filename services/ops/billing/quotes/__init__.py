"""Quotes: offers that a client accepts or rejects."""
