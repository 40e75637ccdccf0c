"""What takes longer than a request: durable, leased, gone on with wherever it was killed."""
