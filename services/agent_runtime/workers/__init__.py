"""Worker processes: where reasoners reason, with bounded memory and without a network."""
