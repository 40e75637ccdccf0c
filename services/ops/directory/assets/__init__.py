"""Assets: what the provider looks after at a client."""
