"""What is the same for every resource kind, once: the six standard rpcs, their SQL, lifecycles, references.

A kind is its message in the protos, its table in a migration, its rules, and one `Kind` that names them.
"""
