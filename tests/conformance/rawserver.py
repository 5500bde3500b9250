# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server on loopback for what no HTTP server does: it says what its script says, byte by byte, and hangs up as it says.

A script is a function of one connection. Those that this module makes can be put together: ``once(b"HTTP/1.1 200 OK", end=reset)``.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

REQUEST_ID = "4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2"
# Longer than any test waits. It ends what would otherwise outlive a test that fails.
END_OF_ALL = 15.0


class Line:
    """One connection, seen from the server."""

    def __init__(self, sock: socket.socket, server: RawServer, number: int) -> None:
        self.sock = sock
        self.server = server
        self.number = number

    def read(self, size: int = 65536) -> bytes:
        self.server.settled.set()
        received = self.sock.recv(size)
        self.server.settled.clear()
        if not received:
            raise ConnectionError("The client hung up.")
        return received

    def request(self) -> None:
        """Read a whole request, and log it."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.read()
        head, body = received.split(b"\r\n\r\n", 1)
        length = next((int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += self.read()
        self.server.requests.append(head.decode("latin-1"))

    def send(self, *parts: bytes, gap: float = 0.0) -> None:
        for part in parts:
            self.sock.sendall(part)
            if self.server.stopped.wait(gap):
                raise ConnectionError("The test is over.")


Script = Callable[[Line], None]


class RawServer:
    """Deals with every connection as the script says, each in a thread of its own."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[str] = []
        self.stopped = threading.Event()
        self.settled = threading.Event()  # the script waits for the client, or is at its end
        self._script = script
        self._tls = tls
        self._lines: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads[0].start()

    def stop(self) -> None:
        self.stopped.set()
        socket.create_connection(("127.0.0.1", self.port)).close()  # wakes accept()
        self._threads[0].join()
        self._listener.close()
        for line in self._lines:
            hang_up(line)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            line, _peer = self._listener.accept()
            if self.stopped.is_set():
                line.close()
                return
            line.settimeout(END_OF_ALL)
            self._lines.append(line)
            self._threads.append(threading.Thread(target=self._deal_with, args=[line, len(self._threads)], daemon=True))
            self._threads[-1].start()

    def _deal_with(self, sock: socket.socket, number: int) -> None:
        line = Line(sock, self, number)
        try:
            if self._tls:
                line.sock = self._tls.wrap_socket(sock, server_side=True, suppress_ragged_eofs=True)
                self._lines.append(line.sock)
            self._script(line)
        except (OSError, ValueError):  # the client hung up, did not like the certificate, or the server was stopped
            pass
        finally:
            hang_up(line.sock)
            self.settled.set()


def hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is closed
        pass
    sock.close()


@contextmanager
def raw_server(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    server = RawServer(script, tls)
    try:
        yield server
    finally:
        server.stop()


def answer(status: int = 200, body: Any = None, *headers: str, keep: bool = False, length: int | None = None, content_type: str = "application/json") -> bytes:
    """A whole HTTP answer. A length that is not the body's makes one that is cut short."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    size = f"Content-Length: {len(content) if length is None else length}"
    return head(status, size, f"Connection: {'keep-alive' if keep else 'close'}", f"Content-Type: {content_type}", *headers) + content


def head(status: int = 200, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Text", f"X-Request-Id: {REQUEST_ID}", *headers, "", ""]).encode()


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def close(line: Line) -> None:
    """Hang up."""


def reset(line: Line) -> None:
    """Hang up with a TCP RST: closing with data lingering for no time."""
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.sock.close()


def hold(line: Line) -> None:
    """Say nothing more until the client hangs up."""
    while True:
        line.read()


def half_close(line: Line) -> None:
    """Send a FIN, and go on reading."""
    line.sock.shutdown(socket.SHUT_WR)
    hold(line)


def drip(part: bytes, gap: float) -> Script:
    """Never be silent for long, and never come to an end."""

    def script(line: Line) -> None:
        end = time.monotonic() + END_OF_ALL
        while time.monotonic() < end:
            line.send(part, gap=gap)

    return script


def unread(end: Script = close) -> Script:
    """When a request begins to come in, end like that without having read any of it."""

    def script(line: Line) -> None:
        line.server.settled.set()
        line.sock.recv(1, socket.MSG_PEEK)
        end(line)

    return script


def reset_within_request(line: Line) -> None:
    """Hang up when the request has begun to come in."""
    line.read(1)
    reset(line)


def once(*parts: bytes, gap: float = 0.0, end: Script = close) -> Script:
    """Answer one request, and end like that."""

    def script(line: Line) -> None:
        line.request()
        line.send(*parts, gap=gap)
        end(line)

    return script


def each(*parts: bytes) -> Script:
    """Answer every request that comes along the connection."""

    def script(line: Line) -> None:
        while True:
            line.request()
            line.send(*parts)

    return script


def in_turn(*scripts: Script) -> Script:
    """The first connection is dealt with by the first script, and so on; all later ones by the last."""

    def script(line: Line) -> None:
        scripts[min(line.number, len(scripts)) - 1](line)

    return script
