"""Completion and inspection of SQL and magic lines: text, cursor and catalog names in, suggestions out."""
