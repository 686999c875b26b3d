"""How fast tcpcap is beside other tools: seeded captures, whole processes, one table, and bars that must be met."""
