"""The session of a kernel: its connections, its accounts, and running cells on them."""
