"""What watches the system."""
