"""Colours by what they stand for: far enough apart for the colour-blind, dark or light enough for their ground."""

from __future__ import annotations

# Each role on a light and on a dark ground. Data, ACKs and windows have the hues that readers of tcptrace expect.
ROLES = {
    "data": ("#2b5c9e", "#7fb0f0"),
    "ack": ("#12764a", "#4cc790"),
    "window": ("#9a6700", "#e3b341"),
    "sack": ("#7a3fb3", "#c297f5"),
    "dsack": ("#b5267e", "#f58cc4"),
    "again": ("#c02f1d", "#ff8a75"),
    "timeout": ("#8f1010", "#ff5c5c"),
    "odd": ("#b3560b", "#f7a35c"),
    "zero": ("#c02f1d", "#ff8a75"),
    "end": ("#454b54", "#b9c0ca"),
    "client": ("#2b5c9e", "#7fb0f0"),
    "server": ("#b3560b", "#f7a35c"),
    "observed": ("#2b5c9e", "#7fb0f0"),
    "predicted": ("#9a6700", "#e3b341"),
    "error": ("#b3261e", "#ff8a80"),
    "warning": ("#8a5a00", "#f0b429"),
    "info": ("#2b5c9e", "#7fb0f0"),
    # Causes of time: what had to be in blue, what waited for people and programs in grey, what was lost in warm hues.
    "transfer": ("#2b5c9e", "#7fb0f0"),
    "round_trip": ("#6fa8dc", "#3f6ea8"),
    "handshake": ("#12764a", "#4cc790"),
    "client_think": ("#8b95a1", "#7d8793"),
    "server_think": ("#545d68", "#b9c0ca"),
    "idle": ("#d3d8de", "#3d444d"),
    "closing": ("#b6c7b9", "#52705a"),
    "receive_window": ("#9a6700", "#e3b341"),
    "zero_window": ("#c9a227", "#a97f1b"),
    "delayed_ack": ("#b5267e", "#f58cc4"),
    "loss_fast": ("#e4704f", "#ff8a75"),
    "loss_timeout": ("#8f1010", "#ff5c5c"),
    "sender_stall": ("#7a3fb3", "#c297f5"),
    "unknown": ("#e7e3da", "#57534a"),
}
GROUND = {"paper": ("#ffffff", "#15191f"), "text": ("#1b1f24", "#e6eaf0"), "grid": ("#dde2e8", "#2b323b")}
LIGHT = {role: pair[0] for role, pair in (ROLES | GROUND).items()}
DARK = {role: pair[1] for role, pair in (ROLES | GROUND).items()}


def css() -> str:
    """The colours as CSS variables: light ones, and dark ones where the reader's system is dark and nothing is printed."""
    light, dark = (
        "".join(f"--{role.replace('_', '-')}:{colour};" for role, colour in each.items()) for each in (LIGHT, DARK)
    )
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme: dark){{:root:not(.printing){{{dark}}}}}\n"
