"""Background queries: each runs in its own thread, on its own connection, behind a handle."""
