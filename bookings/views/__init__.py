"""Customer pages, one module per story."""
