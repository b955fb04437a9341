"""What a page shows: coloured meshes, controls and the brush."""
