"""integrations: webhooks in, accounting and notifications out, imports and exports."""
