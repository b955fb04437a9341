"""Closed solids: booleans, clipping, isosurfaces and self-intersections."""
