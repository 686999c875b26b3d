"""Flow state and packets -> verdicts on frames. So far: the labels that Wireshark gives."""
