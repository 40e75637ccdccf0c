"""Settings of the platform and of each workspace, kept as versions."""
