"""Executions: asked for, run elsewhere, ended once for each attempt."""
