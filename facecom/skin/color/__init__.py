"""Colour of what was made up, from the same person's skin."""
