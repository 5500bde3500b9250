# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that know how far an attempt got, can be given up, and read a bounded number of bytes.

The exceptions of requests and urllib3 do not tell a connection that broke in the TLS handshake from one that broke
after the request, and their limits end where the length of a chunk is invalid.
"""

from __future__ import annotations

import io
import re
import socket
import threading
import typing as t
from http.client import HTTPResponse, IncompleteRead

if t.TYPE_CHECKING:
    import requests

try:
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection
except ImportError:  # reported by _http.py
    HTTPAdapter = HTTPConnection = object  # type: ignore[assignment,misc]

MAX_RESPONSE = 16 * 1024 * 1024  # Bytes, with headers and the framing of chunks. Twice MAX_BODY.
_current = threading.local()


class ResponseTooLargeError(Exception):
    """A response has too many bytes."""


class Attempt:
    """How far an attempt got.

    ``connecting`` is true from the start of a connection until its TLS handshake has finished: nothing of the request
    has been sent. ``connected`` is true afterwards. Both are false if there was no connection at all. Once the attempt
    is given up, neither changes, and the request is not sent any more. ``secret_header`` is for the client.
    """

    def __init__(self, secret_header: str = "") -> None:
        self.secret_header = secret_header
        self.connecting = False
        self.connection: HTTPConnection | None = None
        self.sock: t.Any = None
        self.response: requests.Response | None = None
        self.ended = False  # whether the server closed the connection
        self._given_up = False
        self._lock = threading.Lock()

    @property
    def connected(self) -> bool:
        return self.sock is not None and not self.connecting

    def begin(self, threads: int) -> None:
        """Assign the connections of this thread to the attempt. All threads share the limit of bytes."""
        _current.attempt, _current.limit = self, MAX_RESPONSE // threads

    def record(self, connection: HTTPConnection, sock: t.Any = None) -> None:
        """Record that a connection begins, or, with its socket, that the request is sent from now on.

        :raises OSError: when the attempt was given up. Another one may have sent the request since.
        """
        with self._lock:
            if self._given_up:
                raise OSError("The attempt was given up.")
            self.connecting, self.connection, self.sock = sock is None, connection, sock

    def give_up(self) -> None:
        """Shut down the connection, so that the thread that waits for it ends, and never send the request."""
        with self._lock:
            self._given_up = True
        sock = getattr(self.connection, "sock", None) if self.connecting else self.sock
        try:
            # The wrappers of TLS have methods that do not suit another thread. Of a duplicate, only the connection is
            # shut down.
            with socket.fromfd(sock.fileno() if sock else -1, socket.AF_INET, socket.SOCK_STREAM) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)
        except OSError:  # It has been closed, or does not exist yet. Then its own timeout ends the thread.
            pass


class Adapter(HTTPAdapter):
    """Adds :class:`_Connection` to the connections of all pools, with and without a proxy."""

    def cert_verify(self, conn: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        """Called with the pool, before the request is sent."""
        super().cert_verify(conn, *args, **kwargs)  # type: ignore[no-untyped-call]
        if not issubclass(conn.ConnectionCls, _Connection):
            conn.ConnectionCls = type("Connection", (_Connection, conn.ConnectionCls), {})


class _BoundedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._left = self._limit = _current.limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        count: int | None = self._raw.readinto(buffer)
        _current.attempt.ended = count == 0
        self._left -= count or 0
        if self._left < 0:
            raise ResponseTooLargeError(f"The response has more than {self._limit} bytes")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _HeaderReader(io.BufferedReader):
    def readline(self, size: int | None = -1) -> bytes:
        """Called for headers and the framing of chunks.

        Python would look for the parts of a multipart body, for which a long header takes minutes and gigabytes. Nobody
        needs the content type. Lines of headers may also end with a carriage return.
        """
        line = super().readline(size)
        return re.sub(rb"(?i)(^|\r)content-type:", rb"\1X-Content-Type:", line) if len(line) > 12 else line


class _BoundedResponse(HTTPResponse):
    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.fp = _HeaderReader(_BoundedReader(self.fp.detach()))

    def begin(self) -> None:
        super().begin()
        # Python skips 100 (Continue) only. It takes any other interim response for the final one, and the final one for
        # the response to the next request.
        while 100 <= self.status < 200 and self.status != 101:
            self.headers = None  # type: ignore[assignment]
            super().begin()
        self.will_close = self.will_close or self.status == 101  # Then the connection has another protocol.
        if _current.attempt.ended:  # Python takes the end of the connection for the end of the headers.
            raise IncompleteRead(b"")
        # urllib3 would log a line that is no header, and Ansible would write it to the log of the controller.
        self.headers.defects.clear()
        self.headers.set_payload("")
        del self.headers["Set-Cookie"]  # Nobody uses cookies, and an odd one makes Python print a traceback.


class _Connection(HTTPConnection):
    response_class = _BoundedResponse

    def connect(self) -> None:
        _current.attempt.record(self)
        super().connect()
        _current.attempt.record(self, self.sock)

    def putrequest(self, *args: t.Any, **kwargs: t.Any) -> None:
        if self.sock:  # Otherwise it connects later. This one has just been connected, or is used again.
            _current.attempt.record(self, self.sock)
        super().putrequest(*args, **kwargs)
