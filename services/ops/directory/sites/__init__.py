"""Sites: the places where a client works."""
