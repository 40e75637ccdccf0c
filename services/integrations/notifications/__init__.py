"""Messages to people: which events, where to, and what came of it."""
