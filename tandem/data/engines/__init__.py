"""What can run the tables' expressions."""
