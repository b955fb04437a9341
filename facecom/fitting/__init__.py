"""The fit: terms, iterations and the posterior of code and pose."""
