"""One frame as Wireshark dissects it, through pyshark."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from analyzer.crosscheck.programs import library, refuse_elsewhere, tshark_version
from analyzer.errors import CaptureError

INDENT = "  "
OF_THE_FRAME = 2  # parts of PDML before the first header: general information, and the frame
MARKS = ("field", "proto")


def dissection(path: str, frame: int) -> Iterator[str]:
    """Wireshark's tree of a frame: a line for each layer and field, indented below what it belongs to.

    Raises UsageError where pyshark or tshark is not installed, or for a URL, CaptureError where tshark cannot read the file, or the file
    has no such frame.
    """
    refuse_elsewhere(path)
    tshark_version()
    pyshark, _ = library("pyshark")
    pyshark.config.fp_config_path = pyshark.config.pyshark_config_path  # else a config.ini here would name the program
    with ThreadPoolExecutor(1) as apart:
        packet = apart.submit(_packet, pyshark, path, frame).result()
    if packet is None:
        raise CaptureError(path, f"tshark shows no frame {frame}", "is there one?")
    for layer in packet[OF_THE_FRAME:]:
        yield from _tree(layer, "")


def _packet(pyshark: Any, path: str, frame: int) -> Any:
    """The parts of one frame, or None; in a thread of its own.

    There pyshark takes the event loop that it is given: in the main thread it takes that of whoever called, which may be running
    (Jupyter) or closed, and changes for all who come later how processes are waited for.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of asyncio, within pyshark
            # tshark stops behind the frame: what comes later in a large file need not be dissected.
            with closing(
                _reader(pyshark)(
                    path,
                    keep_packets=False,
                    display_filter=f"frame.number == {frame}",
                    custom_parameters=["-c", str(frame), "-n"],
                )
            ) as capture:
                return next(iter(capture), None)
    except pyshark.tshark.tshark.TSharkNotFoundException as error:
        raise CaptureError("tshark", str(error), "install it") from None
    except pyshark.capture.capture.TSharkCrashException:
        raise CaptureError(path, "tshark cannot read it", "unpack it first, if it is compressed") from None
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _tree(node: Any, indent: str) -> Iterator[str]:
    """A line of the tree and those below it, but for what Wireshark hides; a node without a text is none of its own."""
    if node.get("hide") == "yes":
        return
    text = node.get("showname") or node.get("show")
    if text:
        yield indent + text
        indent += INDENT
    for each in node.iterchildren(*MARKS):
        yield from _tree(each, indent)


def _reader(pyshark: Any) -> Any:
    """A FileCapture whose packets are the parts of PDML (`proto`) themselves: in pyshark's own, order and nesting are lost."""
    from pyshark.tshark.output_parser import tshark_xml

    class Parser(tshark_xml.TsharkXmlParser):  # type: ignore[misc]
        def _parse_single_packet(self, packet: bytes) -> Any:
            import lxml.etree

            text = packet.decode(errors="ignore").translate(tshark_xml.DEL_BAD_XML_CHARS)
            return lxml.etree.fromstring(text.encode(), lxml.etree.XMLParser(huge_tree=True, recover=True)).findall(
                "proto"
            )

    class Reader(pyshark.FileCapture):  # type: ignore[misc]
        def _setup_tshark_output_parser(self) -> Any:
            return Parser()

        def close(self) -> None:
            try:
                super().close()
            finally:
                self._running_processes.clear()  # of one that failed, pyshark would complain again when this is collected
                super().close()

    return Reader
