"""What is written of a part: files, sheet and pictures."""
