"""Scheduling's use-cases, one module per flow."""
