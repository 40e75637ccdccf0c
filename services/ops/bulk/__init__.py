"""Many resources at once: what imports use."""
