"""Writing a Python table where SQL cannot name it: whole or not at all, with types from its Arrow schema."""
