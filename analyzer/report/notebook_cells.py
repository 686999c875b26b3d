"""The code of the notebooks that are written for an incident: plain pandas, to be read and changed. Braces are filled in."""

from __future__ import annotations

import json
from collections.abc import Iterable

READING = """\
import pandas as pd

from analyzer import analyze

pd.set_option("display.max_colwidth", None)
paths = {paths}
a = analyze(paths{more})
first_ns = a.capture["first_ns"]
a.capture["frames"]"""

TABLE = """\
columns = ["finding", "severity", "title", "side", "host", "connections"]
a.findings.loc[a.findings["because_of"] == 0, columns].set_index("finding")"""

FRAMES = """\
def letters(flags):
    return "".join(letter for bit, letter in enumerate("FSRPAUEC") if flags >> bit & 1)


def readable(rows):  # in few columns; seconds are counted from the first frame
    return pd.DataFrame(
        {{
            "frame": rows["frame"],
            "seconds": (rows["time_ns"] - first_ns) / 1e9,
            "from": [f"{{host}} {{port}}" for host, port in zip(rows["src"], rows["src_port"])],
            "to": [f"{{host}} {{port}}" for host, port in zip(rows["dst"], rows["dst_port"])],
            "flags": [letters(flags) for flags in rows["flags"]],
            "seq": rows["seq"],
            "ack": rows["ack"],
            "bytes": rows["payload_len"],
            "window": rows["window"],
            "events": rows["events"],
        }}
    ).set_index("frame")


packets = readable(a.frames({frames}))"""

PLACES = """\
def of_interest(part):
    listening = (part["state"] == "LISTEN") & part["local_port"].isin({ports})
    return part[part["flow"].isin({flows}) | listening]


sockets = pd.concat([of_interest(part) for part in a.socket_frames()])
sockets.insert(0, "seconds", (sockets["time_ns"] - first_ns) / 1e9)"""

PROOF = "packets.loc[packets.index.isin({frames})]"

PICTURE = "a.plot.connection({flow})"

EVENTS = """\
of_flows = a.flow_events[a.flow_events["flow"].isin({flows})]
of_flows = of_flows.assign(sender=of_flows["direction"].map({{0: "client", 1: "server"}}))
of_flows[["flow", "sender", "event", "cause", "count", "first_frame", "last_frame"]].set_index("flow")"""

COUNTERS = """\
names = {names}
moved = a.counters[a.counters["counter"].isin(names) & (a.counters["observed"] > 0)]
moved = moved.assign(begin=(moved["start_ns"] - first_ns) / 1e9, end=(moved["end_ns"] - first_ns) / 1e9)
moved[["counter", "begin", "end", "observed", "predicted", "verdict"]].set_index("counter")"""

SOCKETS = """\
listening = (sockets["state"] == "LISTEN") & sockets["local_port"].isin({ports})
its = sockets[sockets["flow"].isin({flows}) | listening]
its[["seconds", "state", "local", "local_port", "peer", "peer_port", "recv_q", "send_q", "timer"]].set_index("seconds")"""

TIME = """\
spent = pd.Series(a.time_spent, name="seconds") / 1e9
time = spent[spent > 0].sort_values(ascending=False).to_frame()
time["share"] = (100 * time["seconds"] / time["seconds"].sum()).round(1).astype(str) + " %"
time"""


def shown_list(values: Iterable[str | int]) -> str:
    """A list as Python. Text of any content is a literal; what no encoding has (in names that are not UTF-8) is escaped in it."""
    return "[" + ", ".join(map(_shown, values)) + "]"


def _shown(value: str | int) -> str:
    plain = isinstance(value, str) and value.isprintable()
    return json.dumps(value, ensure_ascii=False) if plain else repr(value)
