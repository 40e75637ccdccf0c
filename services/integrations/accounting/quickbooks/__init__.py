"""QuickBooks Online, by python-quickbooks and Intuit's OAuth client."""
