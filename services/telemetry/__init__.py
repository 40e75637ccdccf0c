"""telemetry: enrollment, policy and ingest for endpoint agents, and what they detect."""
