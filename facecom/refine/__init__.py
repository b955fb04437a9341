"""From a fitted face to the surface of the scan: projection, joining, skin detail."""
