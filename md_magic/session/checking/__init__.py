"""Checking SQL before it runs, against a shadow of the catalog: empty tables in a DuckDB of our own."""
