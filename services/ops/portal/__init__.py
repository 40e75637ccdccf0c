"""What the portal asks for: the same rows, as clients' people see them."""
