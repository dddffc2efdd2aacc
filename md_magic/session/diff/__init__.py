"""Comparing two tables: `sides` reads what is compared, `compare` compares, `value` says the result."""
