"""`bin/trace`: runs a real use-case and prints everything that happened, on one page."""
