"""The ways out of the system."""
