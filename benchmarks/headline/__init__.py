"""The headline figures: known defects cut out of whole heads, completed, scored, and written as tables."""
