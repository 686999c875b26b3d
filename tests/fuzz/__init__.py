"""Hostile inputs over all paths into tcpcap: whatever the bytes, an answer or one line of ours, and soon."""
