"""`bin/screenshots`: what a customer and a member of staff see, page by page, to be looked at."""
