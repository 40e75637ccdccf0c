"""Rows of a file that become resources."""
