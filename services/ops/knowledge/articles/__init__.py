"""Knowledge articles: what staff and clients read."""
