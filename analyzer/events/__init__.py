"""Packet rows and the state of their flows -> verdicts on frames, a kernel per family; and the labels of Wireshark."""
