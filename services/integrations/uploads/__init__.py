"""Files that imports read, as they are brought."""
