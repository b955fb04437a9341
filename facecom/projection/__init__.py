"""The fitted face moved onto the scan, and the offset extrapolated into the hole."""
