"""Which hole a part is made for, the skin around it, and completing the scan again without a region."""
