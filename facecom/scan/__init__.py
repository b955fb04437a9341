"""From a file to a clean surface in the face frame: reading, cleaning, units, alignment."""
