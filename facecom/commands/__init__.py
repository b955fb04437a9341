"""The verbs of the command line: their options, what they run, and what they print."""
