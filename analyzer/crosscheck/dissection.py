"""One frame as Wireshark dissects it, through pyshark."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from analyzer.crosscheck.programs import library, tshark_version
from analyzer.errors import CaptureError


def dissection(path: str, frame: int) -> Iterator[str]:
    """Every layer of a frame with its fields, a line each, indented below its layer.

    Raises UsageError where pyshark or tshark is not installed, CaptureError where the file has no such frame.
    """
    tshark_version()
    pyshark, _ = library("pyshark")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of asyncio, within pyshark
        # tshark stops behind the frame: what comes later in a large file need not be dissected.
        capture = pyshark.FileCapture(
            path,
            keep_packets=False,
            display_filter=f"frame.number == {frame}",
            custom_parameters=["-c", str(frame), "-n"],
        )
        try:
            packet = next(iter(capture), None)
        except pyshark.tshark.tshark.TSharkNotFoundException as error:
            raise CaptureError("tshark", str(error), "install it") from None
        finally:
            capture.close()
    if packet is None:
        raise CaptureError(path, f"tshark shows no frame {frame:,}", "is there one?")
    for layer in packet.layers:
        yield layer.layer_name.upper()
        for name in layer.field_names:
            field = layer.get_field(name)
            for each in getattr(field, "all_fields", ()):
                text = each.showname or each.show
                if text and not each.hide:
                    yield f"  {text}"
