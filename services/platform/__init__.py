"""platform: settings and secrets that every other service stands on."""
