"""Meshes, transforms and queries: the bottom of the house, without torch."""
