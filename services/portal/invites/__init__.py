"""Invites: how a person of a client comes in."""
