"""agent-runtime: the engines, queues and workers that executions run on."""
