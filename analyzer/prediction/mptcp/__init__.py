"""What the options of Multipath TCP move."""
