"""How HTTP is asked for a capture: no server is given more room or time than an honest one needs, and none is believed that says two things."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from analyzer.patterns import regex

KINDS = ("http", "https")
CONNECT_S, SILENT_S = 30, 60  # until there is a connection; and until something comes on one
MOST_WHOLE = 1 << 20  # bytes of an answer that is no range and is wanted at once, as a list of files is
PIECE = 1 << 16
PARTIAL = 206  # the status of a part
MOST_DIGITS = 18  # of a number of bytes
_ASKED = regex(r"bytes=(\d+)-(\d+)")
_GIVEN = regex(r"bytes (\d+)-\d+/(\d+|\*)")


class Broken(OSError):
    """What was asked for did not come: the reason, with no address in it; `status` is that of HTTP."""

    def __init__(self, found: str, status: int | None = None) -> None:
        super().__init__(found)
        self.status = status


def ways(kinds: list[str]) -> dict[str, dict[str, Any]]:
    """What fsspec is told of each of these protocols that is HTTP. It shares no connection with others: an answer is compared to what came before."""
    return {kind: {"get_client": session, "skip_instance_cache": True} for kind in kinds if kind in KINDS}


class Content:
    """What the answers to one reader say of the file whose parts they are; they may say that it has grown, and nothing else that is new."""

    def __init__(self) -> None:
        self._size, self._tag = 0, ""

    def check(self, status: int, asked: str, headers: Mapping[str, str]) -> None:
        """Raise Broken where an answer is not the part that was asked for (the header `Range`), or one of another content."""
        wanted = _ASKED.fullmatch(asked)
        given = _GIVEN.fullmatch(headers.get("Content-Range", ""))
        if status != PARTIAL or wanted is None or given is None:
            return
        if len(given[1]) > len(wanted[1]) or int(given[1]) != int(wanted[1]):
            raise Broken("another part came than was asked for")
        if given[2] == "*" or len(given[2]) > MOST_DIGITS:
            return
        size, tag = int(given[2]), headers.get("ETag", "")
        if size < self._size:
            raise Broken(f"the file shrank from {self._size:,} to {size:,} bytes while it was read")
        if size == self._size and tag and self._tag and tag != self._tag:
            raise Broken("the file was changed while it was read")
        self._size, self._tag = size, tag


def most_of(asked: str) -> int:
    """How many bytes an answer may have that is wanted at once, by the header `Range` of the question."""
    wanted = _ASKED.fullmatch(asked)
    return MOST_WHOLE if wanted is None else int(wanted[2]) - int(wanted[1]) + 1


async def session(**given: Any) -> Any:
    """A session of aiohttp for one reader, as `given` says, and else so that it waits as long as anything comes, and unpacks nothing."""
    aiohttp = import_module("aiohttp")
    content = Content()

    class Answer(aiohttp.ClientResponse):  # type: ignore[misc, name-defined] # of a package that is there or not
        """An answer that is looked at as soon as its headers are there."""

        async def start(self, connection: Any) -> Any:
            """Raises Broken where it is not what was asked for."""
            await super().start(connection)
            content.check(self.status, self._asked, self.headers)
            return self

        async def read(self) -> bytes:
            """All of it. Raises Broken where that is more than was asked for."""
            if self._body is None:  # type: ignore[has-type] # as above
                most, found = most_of(self._asked), bytearray()
                while piece := await self.content.read(PIECE):
                    found += piece
                    if len(found) > most:
                        self.close()
                        raise Broken("more bytes came than were asked for")
                self._body = bytes(found)
            whole: bytes = await super().read()
            return whole

        @property
        def _asked(self) -> str:
            return str(self.request_info.headers.get("Range", ""))

    async def sent_on(_: Any, __: Any, asked: Any) -> None:
        headers = asked.response.headers
        to = headers.get("Location") or headers.get("URI") or ""  # aiohttp goes by either
        if asked.url.scheme == "https" and to.strip().lower().startswith("http:"):
            raise Broken("the server sends on from https to http, which others can read and change")

    looking = aiohttp.TraceConfig()
    looking.on_request_redirect.append(sent_on)
    usual = {
        "timeout": aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENT_S),
        "auto_decompress": False,  # what is packed is unpacked piece by piece, by us
        "headers": {"Accept-Encoding": "identity", **given.pop("headers", {})},
        "response_class": Answer,
        "trace_configs": [looking, *given.pop("trace_configs", [])],
    }
    return aiohttp.ClientSession(**usual | given)
