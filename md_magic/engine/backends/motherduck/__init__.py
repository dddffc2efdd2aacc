"""MotherDuck: a DuckDB with more, and what its service says about itself."""
