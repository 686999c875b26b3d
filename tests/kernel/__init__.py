"""What the kernel counted against what the analyzer found: random real traffic, recorded at both ends."""
