"""What failed and waits for somebody, of the runtime and of all services' outboxes."""
