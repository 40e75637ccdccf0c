"""What clients owe and pay, in the books: our own journal, QuickBooks Online or Xero."""
