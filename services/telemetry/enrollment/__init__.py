"""How agents come to belong to a workspace, and prove who they are."""
