"""The edge: one HTTP API in front of all services, built at start-up from the contract's descriptors."""
