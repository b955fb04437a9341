"""A raw mesh made into a clean scan: cleaning, topology, unit, surface reconstruction, pose."""
