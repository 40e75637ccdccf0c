"""Detection: what agents report, or no longer report, becomes conditions that are raised and cleared."""
