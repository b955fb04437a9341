"""What is measured on a finished part, whatever it was designed with: against the raw scan, and on the part alone."""
