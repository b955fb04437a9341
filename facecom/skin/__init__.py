"""Skin relief: measured where it was observed, synthesised in the hole from the person's own skin."""
