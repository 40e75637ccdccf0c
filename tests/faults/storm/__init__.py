"""A mixed load while anything fails, then the books: `make test-faults SEED=1 MINUTES=30`."""
