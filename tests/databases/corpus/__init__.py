"""Statements that have misled SQL tools, for each database: a cell is held against the driver itself, side by side."""
