"""A seeded generator in, the frames of typical TCP connections out: each as rows that can be played again and again.

A script holds one connection relative to its start and its initial sequence numbers. A capture plays a few scripts many
times, with other addresses, ports, numbers and start times, so the frame by frame work is done only once.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

FIN, SYN, PSH, ACK = 0x01, 0x02, 0x08, 0x10
STAMPS, HELLO, SACK = 0, 1, 2  # which options a frame carries; HELLO is the set of a SYN
MSS = 1448  # payload of a full segment: 1500 bytes less IPv4, TCP and timestamps
ROW = np.dtype(
    [
        ("time_us", "i8"),
        ("direction", "u1"),
        ("flags", "u1"),
        ("options", "u1"),
        ("window", "u2"),
        ("ip_id", "u2"),
        ("seq", "u4"),
        ("ack", "u4"),
        ("tsval", "u4"),
        ("tsecr", "u4"),
        ("left", "u4"),
        ("right", "u4"),
        ("length", "u4"),
        ("segment", "u4"),
    ]
)
Rows = npt.NDArray[Any]


class Talk:
    """The frames of one connection, written in the order in which a capture at one host sees them."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, ...]] = []
        self.sent = [0, 0]  # frames by direction, for the IP identification
        self.clock = [0, 0]  # the latest TSval by direction, in ms

    def say(
        self,
        time_us: float,
        direction: int,
        flags: int,
        seq: int,
        ack: int,
        length: int = 0,
        segment: int = 0,
        options: int = STAMPS,
        left: int = 0,
        right: int = 0,
    ) -> None:
        """One frame; sequence and acknowledgement numbers count from the SYN."""
        self.clock[direction] = int(time_us) // 1000
        stamps = self.clock[direction], self.clock[1 - direction]
        window = 64240 if flags & SYN else 2048
        ip_id = self.sent[direction]
        self.frames.append(
            (int(time_us), direction, flags, options, window, ip_id, seq, ack, *stamps, left, right, length, segment)
        )
        self.sent[direction] += 1

    def rows(self) -> Rows:
        """What was said, as one structured array."""
        return np.array(self.frames, ROW)


def short(request: int, response: int, rtt_us: int = 8_000) -> Rows:
    """Ten frames: handshake, a small request and its answer, and a close from both sides."""
    talk = Talk()
    asked, answered = 1 + request, 1 + response
    talk.say(0, 0, SYN, 0, 0, options=HELLO)
    talk.say(40, 1, SYN | ACK, 0, 1, options=HELLO)
    talk.say(rtt_us, 0, ACK, 1, 1)
    talk.say(rtt_us + 90, 0, PSH | ACK, 1, 1, request, 1)
    talk.say(rtt_us + 130, 1, ACK, 1, asked)
    talk.say(rtt_us + 900, 1, PSH | ACK, 1, asked, response, 2)
    talk.say(2 * rtt_us + 900, 0, ACK, asked, answered)
    talk.say(2 * rtt_us + 960, 0, FIN | ACK, asked, answered)
    talk.say(2 * rtt_us + 1010, 1, FIN | ACK, answered, asked + 1)
    talk.say(3 * rtt_us + 1010, 0, ACK, asked + 1, answered + 1)
    return talk.rows()


def knock() -> Rows:
    """One frame: a SYN that nobody answers."""
    talk = Talk()
    talk.say(0, 0, SYN, 0, 0, options=HELLO)
    return talk.rows()


def bulk(rng: np.random.Generator, segments: int, sender: int, rtt_us: int, lost: frozenset[int]) -> Rows:
    """A transfer of full segments from `sender` (0 the client, 1 the server), captured at the sender.

    The window opens from ten segments to a hundred. The receiver acknowledges every 2 to 44 segments, as one with
    receive offload does. After a lost segment it sends duplicate acknowledgements with SACK blocks, and the third of
    them brings the retransmission. Segments of `lost` must be beyond the opening and not among the last hundred.
    """
    talk, receiver = Talk(), 1 - sender
    request = 200 if sender else 0
    talk.say(0, 0, SYN, 0, 0, options=HELLO)
    opened = 40 if sender else rtt_us
    talk.say(opened, 1, SYN | ACK, 0, 1, options=HELLO)
    opened += rtt_us if sender else 40
    talk.say(opened, 0, ACK, 1, 1)
    if request:
        talk.say(opened + 60, 0, PSH | ACK, 1, 1, request, segments)
        talk.say(opened + 100, 1, ACK, 1, 1 + request)

    own, other = 1, 1 + request  # the next numbers of sender and receiver
    now, window, sent, acked, waiting, duplicates = opened + 400.0, 10, 0, 0, 0, 0
    stride = 2
    hole: int | None = None
    coming: deque[tuple[float, int, int, int]] = deque()  # arrival, first segment missing, SACK block
    while acked < segments:
        may_send = sent < segments and sent - acked < window
        if coming and (not may_send or coming[0][0] <= now):
            arrival, upto, left, right = coming.popleft()
            now = max(now, arrival)
            edges = {"options": SACK, "left": own + left * MSS, "right": own + right * MSS} if right else {}
            talk.say(now, receiver, ACK, other, own + upto * MSS, **edges)
            duplicates = duplicates + 1 if upto == acked else 0
            window, acked = min(window + upto - acked, 100), upto
            if duplicates == 3:
                now += 5
                talk.say(now, sender, ACK, own + upto * MSS, other, MSS, upto)
                coming.append((now + rtt_us, sent, 0, 0))
                hole, waiting = None, 0
            continue
        last = sent == segments - 1
        talk.say(now, sender, ACK | (PSH if last else 0), own + sent * MSS, other, MSS, sent)
        waiting += 1
        if sent in lost:
            hole = sent
        elif hole is not None:
            coming.append((now + rtt_us, hole, hole + 1, sent + 1))
        elif waiting >= stride or last or sent + 1 - acked >= window:
            coming.append((now + rtt_us, sent + 1, 0, 0))
            waiting, stride = 0, int(rng.integers(2, min(44, window // 2) + 1))
        sent += 1
        now += rtt_us / window * rng.uniform(0.5, 1.2)

    own += segments * MSS
    talk.say(now + 50, sender, FIN | ACK, own, other)
    talk.say(now + 50 + rtt_us, receiver, FIN | ACK, other, own + 1)
    talk.say(now + 90 + rtt_us, sender, ACK, own + 1, other + 1)
    return talk.rows()


def bulk_scripts(rng: np.random.Generator) -> list[Rows]:
    """Twelve transfers of 1 to 4 MB, both ways; two of them lose a segment."""
    scripts = []
    for number in range(12):
        segments, rtt_us = int(rng.integers(700, 2800)), int(rng.integers(4_000, 40_000))
        lost = frozenset({segments - 150}) if number in (3, 8) else frozenset[int]()
        scripts.append(bulk(rng, segments, number % 2, rtt_us, lost))
    return scripts


def short_scripts(rng: np.random.Generator) -> list[Rows]:
    """Sixteen exchanges of 8 to 34 bytes each way."""
    return [short(*(int(n) for n in rng.integers(8, 35, 2)), int(rng.integers(2_000, 40_000))) for _ in range(16)]
