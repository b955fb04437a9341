"""A part as files and pictures."""
