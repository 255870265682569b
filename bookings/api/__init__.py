"""REST, one module per story."""
