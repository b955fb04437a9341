"""What went in, what came out and why: pictures and pages about a completion."""
