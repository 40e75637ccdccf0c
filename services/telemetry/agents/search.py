"""What `q` searches in agents."""


def text(*parts: str | None) -> str:
    """The texts in lower case, a line each."""
    return "\n".join(part for part in parts if part).lower()
