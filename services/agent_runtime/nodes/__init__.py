"""Agents that run elsewhere, as nodes of AgentField's protocol."""
