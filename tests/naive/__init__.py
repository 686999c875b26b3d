"""Naive twins: scalar Python that a network engineer can check by reading, the oracle for the compiled kernels."""
