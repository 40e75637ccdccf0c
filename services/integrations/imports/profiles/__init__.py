"""What the exports of other products look like, so that nobody has to write their mapping."""
