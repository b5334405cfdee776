"""The body of an answer, decompressed within a limit."""

from __future__ import annotations

import zlib

from monitor.errors import FetchError
from monitor.reasons import FetchReason

_INFLATE_STEP = 262_144
_GZIP = b"\x1f\x8b"
_ENOUGH = 512  # bytes of blanks after which a body is taken as it is
# Said as Content-Encoding although they are none: S3's framing, charsets, "no encoding".
_NO_ENCODING = frozenset({"", "identity", "none", "aws-chunked", "utf-8", "utf8", "binary", "8bit"})
_MARKUP = (b"<", b"{", b"\xff\xfe", b"\xfe\xff")


class BodyCollector:
    """Collects a body, undoing gzip (RFC 1952) and deflate, under a cap that a bomb cannot pass.

    What the bytes are counts before what the header says: a stored .gz comes without
    Content-Encoding, and servers announce gzip over a plain body. curl and browsers read both.

    Args:
        encoding: the Content-Encoding header, "" if there was none.
        cap: bytes, after decompression.

    Afterwards `body` is what came and `notes` says what was passed over.
    """

    def __init__(self, encoding: str, cap: int) -> None:
        self._header = encoding.strip()
        self._names = {name.strip().lower() for name in encoding.split(",")} - _NO_ENCODING
        self._cap = cap
        self._start: bytes | None = b""
        self._inflate: zlib._Decompress | None = None
        self.body = bytearray()
        self.notes: list[str] = []

    def feed(self, chunk: bytes) -> None:
        """Take the next piece.

        Raises:
            FetchError: `bad_encoding` or `too_large`.
        """
        if self._start is not None:
            self._start += chunk
            if len(self._start) < 4 or (not self._start.strip() and len(self._start) < _ENOUGH):
                return
            chunk = self._begin()
        self._take(chunk)

    def finish(self) -> None:
        """Say that nothing follows.

        Raises:
            FetchError: `bad_encoding` or `too_large`.
        """
        if self._start is not None:
            self._take(self._begin())
        if self._inflate is not None and not self._inflate.eof and self.body:
            raise FetchError(FetchReason.BAD_ENCODING, "the compressed stream ends in the middle")

    def _begin(self) -> bytes:
        """Decide by its first bytes what the body is."""
        start, self._start = self._start or b"", None
        plain = start.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(_MARKUP)
        if start.startswith(_GZIP):
            self._inflate = zlib.decompressobj(wbits=31)
        elif not self._names or plain or not start:
            if self._header.lower() not in ("", "identity") and start:
                self.notes.append(
                    f"Content-Encoding {self._header[:60]!r} is none, and passed over"
                )
        elif self._names == {"deflate"}:
            wrapped = start[0] & 15 == 8 and int.from_bytes(start[:2], "big") % 31 == 0
            self._inflate = zlib.decompressobj(wbits=15 if wrapped else -15)
        else:
            raise FetchError(
                FetchReason.BAD_ENCODING,
                f"the server used Content-Encoding {self._header[:60]!r}, although only gzip was "
                "offered",
            )
        return start

    def _take(self, data: bytes) -> None:
        if self._inflate is None:
            self._add(data)
            return
        try:
            while data:
                self._add(self._inflate.decompress(data, _INFLATE_STEP))
                data = self._inflate.unconsumed_tail
                if self._inflate.eof:
                    data = self._inflate.unused_data
                    if not data.startswith(_GZIP):
                        return  # trailing padding
                    self._inflate = zlib.decompressobj(wbits=31)
        except zlib.error as error:
            raise FetchError(FetchReason.BAD_ENCODING, f"broken compression: {error}") from None

    def _add(self, data: bytes) -> None:
        room = self._cap - len(self.body)
        self.body += data[:room]
        if len(data) > room:
            raise FetchError(
                FetchReason.TOO_LARGE, f"more than {self._cap} bytes after decompression"
            )
