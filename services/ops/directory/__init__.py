"""Who the provider works for: clients."""
