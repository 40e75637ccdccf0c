"""workflow: executions of agents, their approval, evidence and audit credentials."""
