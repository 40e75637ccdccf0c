"""Payment providers: who takes the money that a client wants to pay."""
