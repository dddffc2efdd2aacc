"""Terminals: what is typed into a pseudo-terminal."""
