"""Face models of other people, read in their own topology and transferred onto our template."""
