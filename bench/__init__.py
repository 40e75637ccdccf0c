"""The performance suite: the whole path beside the least program a user would compare it with, in the same run."""
