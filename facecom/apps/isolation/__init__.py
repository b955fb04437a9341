"""Work on untrusted scans in a child process with bounds on memory and time; its death is one sentence."""
