"""Plans as plain values, and a reader for each database's EXPLAIN."""
