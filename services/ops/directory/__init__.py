"""Who and what the provider looks after: clients, their sites, contacts and assets."""
