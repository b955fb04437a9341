"""The completed face stitched into the holes of a scan whose own triangles stay as they are."""
