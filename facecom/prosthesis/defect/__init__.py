"""Which hole a part is made for, the surface around it, and completing again without a region."""
