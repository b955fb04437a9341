"""What the page shows: painted surfaces, controls and the brush."""
