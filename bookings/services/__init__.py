"""Bookings' use-cases, one module per flow."""
