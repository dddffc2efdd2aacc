"""A stand-in for MotherDuck at its only seam, `duckdb.connect` of `md:` paths. See ../../README.md."""
