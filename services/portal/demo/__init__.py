"""The demo workspace, as far as it is the portal's: an approver who is invited."""
