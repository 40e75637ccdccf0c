"""Contracts: what a client has agreed to pay for, period by period."""
