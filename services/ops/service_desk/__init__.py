"""The service desk: tickets."""
