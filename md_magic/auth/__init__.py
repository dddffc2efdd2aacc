"""Tokens: finding them, signing in, and understanding what MotherDuck says about them."""
