"""DuckDB: its connection, running on it, and the DB-API layer that SQLAlchemy sees."""
