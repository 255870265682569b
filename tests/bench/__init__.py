"""bin/bench: how fast the product is, beside what its database alone can do on the same machine in the same minute."""
