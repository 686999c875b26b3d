"""What IP, ICMP and UDP count: packets to, from and through the host, and their fragments."""
