"""Files of every format in and out, and the objects of other libraries."""
