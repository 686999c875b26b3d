"""The sender's congestion states: what is lost, sent again, undone, and reordered."""
