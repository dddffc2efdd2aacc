"""Open databases: the engine pool, running statements, stopping them."""
