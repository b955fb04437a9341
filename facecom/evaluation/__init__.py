"""Distances to a known truth, defects to cut, and other methods to compare with; geometry is all it imports."""
