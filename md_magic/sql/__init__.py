"""SQL as text, without a connection: targets, statements, tokens, references, quoting."""
