"""Keys by which agents that run elsewhere prove that they belong to a workspace."""
