"""ops: the system of record of a provider's day."""
