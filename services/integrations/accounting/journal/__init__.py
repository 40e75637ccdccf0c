"""The books that are kept here: a double-entry journal, and the bank's word for what was paid."""
