"""An hour at half load: what the platform takes of the machine must not grow. `make test-soak MINUTES=60`."""
