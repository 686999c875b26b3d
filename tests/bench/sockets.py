"""A sockets.jsonl of any number of sockets, and what reading it costs. `python -m tests.bench.sockets FILE` prints that as JSON."""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from pathlib import Path

A_LIST = 1000


def write(path: Path, count: int, seed: int = 1) -> int:
    """Lists of a thousand sockets, one a second, as `ss -tanimoeOH` prints them. Returns the bytes."""
    rng = random.Random(seed)
    with path.open("w") as file:
        for first in range(0, count, A_LIST):
            rows = [_row(rng, first + number) for number in range(min(A_LIST, count - first))]
            file.write(f'{{"time": {1763660000 + first // A_LIST}.123456, "ss": {json.dumps("".join(rows))}}}\n')
    return path.stat().st_size


def _row(rng: random.Random, number: int) -> str:
    a, b, c = rng.getrandbits(16), rng.getrandbits(24), rng.getrandbits(30)
    return (
        f"ESTAB      {a % 3 * 196}      {a % 7 * 1448}      10.0.0.2:80      10.{a % 200}.{a >> 8}.{b & 255}:{1024 + b % 60000} "
        f'users:(("nginx",pid={800 + a % 8},fd={a % 4096})) timer:(keepalive,{10 + a % 50}sec,0) uid:33 ino:{c} sk:{number:x} '
        f"cgroup:/system.slice/nginx.service <->\t skmem:(r{a % 5},rb131072,t0,tb{b},f0,w0,o0,bl0,d0) ts sack cubic wscale:7,7 "
        f"rto:{200 + a % 99} rtt:{a % 100}.{b % 1000}/{a % 10}.{c % 1000} ato:40 mss:1448 pmtu:1500 rcvmss:536 advmss:1448 "
        f"cwnd:{10 + a % 90} bytes_sent:{c} bytes_retrans:{a} bytes_acked:{c} bytes_received:{b} segs_out:{b} segs_in:{a} "
        f"data_segs_out:{a} data_segs_in:7 send {c}bps lastsnd:{a} lastrcv:{b} lastack:{a} pacing_rate {c}bps "
        f"delivery_rate {b}bps delivered:8 app_limited busy:{a}ms retrans:0/{a % 99} rcv_rtt:36 rcv_space:65483 "
        f"rcv_ssthresh:65483 minrtt:0.01 snd_wnd:65536\n"
    )


def cost(path: Path) -> dict[str, float]:
    """Sockets, bytes, CPU seconds and the peak memory of reading, joining and counting all of a file."""
    from analyzer.sockets import FlowIndex, SocketFile, Tally

    flows, tally = FlowIndex([]), Tally()
    started = time.process_time()
    for batch in SocketFile(path):
        flows.join(batch)
        tally.add(batch)
    spent = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"sockets": tally.sockets, "bytes": path.stat().st_size, "cpu_s": spent, "peak_mb": peak}


if __name__ == "__main__":
    print(json.dumps(cost(Path(sys.argv[1]))))
