"""The part itself: outer face, margin, thickness, intaglio, relief, withdrawal axis and mould."""
