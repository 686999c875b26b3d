"""Where time went, against the truth: recordings of real traffic whose cause is set and whose time is measured while it passes."""
