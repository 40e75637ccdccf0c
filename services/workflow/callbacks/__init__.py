"""Callbacks of engines beside ours: hints that it is time to look."""
