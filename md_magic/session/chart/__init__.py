"""Charts: the rows of a query reduced to marks, by the database."""
