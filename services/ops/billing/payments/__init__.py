"""Payments: money received on invoices."""
