"""portal: a client's people see their own world, and only that."""
