"""Applications on top of the whole job: the viewer, and child processes for untrusted scans."""
