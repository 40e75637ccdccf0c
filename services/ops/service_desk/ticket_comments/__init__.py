"""Comments of tickets."""
