"""Models that reasoners may ask."""
