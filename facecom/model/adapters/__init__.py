"""Face models of other people, read into their own topology and carried onto our template."""
