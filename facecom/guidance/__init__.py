"""Pictures of the scan and what they say about the face."""
