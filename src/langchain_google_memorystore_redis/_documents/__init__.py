"""Documents and their vectors, in hashes and the indexes over them."""
