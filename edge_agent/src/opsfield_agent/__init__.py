"""The endpoint agent: measures the machine it runs on and reports to its provider's platform."""

__version__ = "0.1.0"
