"""One capture, several processes or machines: it is read in ranges, judged in shares, and the answer is that of one pass."""
