"""PostgreSQL: its connection, its types, and what streams."""
