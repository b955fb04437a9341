"""Applications on top of the whole job: the viewer."""
