"""A workspace of believable size to look at: loaded by `python -m services.ops.demo`."""
