"""Changes: planned work, agreed on before it is done."""
