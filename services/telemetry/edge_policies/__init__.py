"""Edge policies: what agents collect, and what of it is wrong."""
