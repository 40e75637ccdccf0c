"""Invoices: what clients owe."""
