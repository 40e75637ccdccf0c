"""Resources that become rows of a file."""
