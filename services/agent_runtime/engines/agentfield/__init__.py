"""AgentField (github.com/Agent-Field/agentfield) as an engine: what runs an execution is an agent at its control plane.

What is known of its API, and where it does not keep to what it documents, was read in its sources and its Python SDK
(0.1.144): its webhooks may come early, twice or never, so that only `GET /executions/{id}` tells what became of one.
"""
