"""SQLAlchemy engines for Python code beside the cells, on DuckDB: `engine.make_engine` makes them."""
