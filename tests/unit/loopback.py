# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import socket
import struct
import threading


def response(body=b"{}", status=200, length=None, headers=()):
    """An HTTP response. If the length is more than that of the body, the response is cut short."""
    lines = [
        f"HTTP/1.1 {status} Text",
        f"Content-Length: {len(body) if length is None else length}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _receive(connection):
    received = connection.recv(65536)
    if not received:
        raise ConnectionError("The client hung up.")
    return received


def head(status=200, *headers):
    return "\r\n".join([f"HTTP/1.1 {status} Text", *headers, "", ""]).encode()


def chunk(content):
    return b"%x\r\n%s\r\n" % (len(content), content)


def reset(connection, server=None):
    """Close with a TCP RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hold(connection, server=None):
    """Send nothing more until the client hangs up."""
    if server:
        server.settled.set()
    connection.recv(1)


class Server:
    """A server on loopback, for tests that need real sockets.

    :param scripts: one for each connection, which runs in its own thread; the last is for all further connections.
        Bytes are the response to a request. A function gets the connection and the server, and reads requests itself.
    """

    def __init__(self, *scripts, tls=None):
        self.requests = []
        self.stopped = threading.Event()
        self.settled = threading.Event()  # Set while a script waits for the client, and at its end.
        self._scripts = itertools.chain(scripts, itertools.repeat(scripts[-1]))
        self._tls = tls
        self._open = []
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.address = self._listener.getsockname()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.address[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def read_request(self, connection):
        self.settled.set()
        received = _receive(connection)
        self.settled.clear()
        while b"\r\n\r\n" not in received:
            received += _receive(connection)
        head, body = received.split(b"\r\n\r\n", 1)
        length = next(
            (int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += _receive(connection)
        self.requests.append(head + b"\r\n\r\n" + body)

    def stop(self):
        if self.stopped.is_set():
            return
        self.stopped.set()
        socket.create_connection(self.address).close()  # wakes accept()
        self._thread.join()
        self._listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)  # ends every wait at either end
            except OSError:  # it was closed
                pass

    def _serve(self):
        while True:
            connection, _peer = self._listener.accept()
            if self.stopped.is_set():
                connection.close()
                return
            connection.settimeout(20)
            threading.Thread(target=self._deal_with, args=(connection, next(self._scripts)), daemon=True).start()

    def _deal_with(self, connection, script):
        try:
            with connection:
                self._open.append(connection)
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                    self._open.append(connection)
                with connection:
                    if callable(script):
                        script(connection, self)
                    else:
                        self.read_request(connection)
                        connection.sendall(script)
        except OSError:  # the client hung up, or rejected the certificate
            pass
        finally:
            self.settled.set()


def once(*parts, gap=0, end=None):
    """A script that responds to one request, with a pause after each part, and continues with another script."""

    def script(connection, server):
        server.read_request(connection)
        for part in parts:
            connection.sendall(part)
            server.stopped.wait(gap)
        if end:
            end(connection, server)

    return script


def each(content):
    """A script that sends the same response to every request of a connection."""

    def script(connection, server):
        while True:
            server.read_request(connection)
            connection.sendall(content)

    return script


def drip(piece, gap=0.01):
    """A script that sends a few bytes again and again, without end."""
    return lambda connection, server: _slowly(connection, server, piece, gap)


def unread(end):
    """A script that continues when a request arrives, without reading it."""

    def script(connection, server):
        server.settled.set()
        connection.recv(1, socket.MSG_PEEK)
        end(connection, server)

    return script


def half_close(connection, server):
    """Send a FIN, and continue to read."""
    connection.shutdown(socket.SHUT_WR)
    hold(connection, server)


def reset_within_request(connection, server):
    server.requests.append(connection.recv(1))
    reset(connection)


def reset_after_request(connection, server):
    server.read_request(connection)
    reset(connection)


def reset_within_body(connection, server):
    server.read_request(connection)
    connection.sendall(response(b'{"id": ', length=1000))
    reset(connection)


def close_without_response(connection, server):
    server.read_request(connection)


def silence(connection, server):
    server.read_request(connection)
    hold(connection)


def stall_within_body(connection, server):
    server.read_request(connection)
    connection.sendall(response(b'{"id": ', length=1000))
    hold(connection)


def _slowly(connection, server, piece, gap=0.01):
    """Send a few bytes again and again, without end."""
    while not server.stopped.wait(gap):
        connection.sendall(piece)


def drip_header(connection, server):
    server.read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _slowly(connection, server, b"x")


def drip_body(connection, server):
    server.read_request(connection)
    connection.sendall(response(length=100000))
    _slowly(connection, server, b" ")


def drip_chunks(connection, server):
    server.read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    _slowly(connection, server, b"1\r\n \r\n")


def flood(connection, server):
    """Send as much as the client takes, in chunks, so that the length is not known in advance."""
    server.read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not server.stopped.is_set():
        connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")


def over_tls(tls, script):
    """A script for a server without TLS that shakes hands first."""

    def shake_hands(connection, server):
        with tls.wrap_socket(connection, server_side=True) as inner:
            script(inner, server)

    return shake_hands


def within_handshake(end, sent=b""):
    """A script that reads the ClientHello, sends something, and goes on with another script."""

    def script(connection, server):
        server.requests.append(_receive(connection))
        connection.sendall(sent)
        end(connection, server)

    return script


def close(connection, server):
    """Close with a TCP FIN."""
    connection.shutdown(socket.SHUT_RDWR)


def endless(start, piece):
    """A script that responds with as much as the client takes, and counts it."""

    def script(connection, server):
        server.read_request(connection)
        connection.sendall(start)
        server.sent = 0
        while not server.stopped.is_set():
            server.sent += connection.send(piece)

    return script


def proxy(to=None, then=None):
    """A script for a proxy that accepts CONNECT.

    :param to: the address to connect to, whatever the client asked for.
    :param then: without `to`: the script of the server behind the proxy.
    """

    def script(connection, server):
        server.read_request(connection)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if then:
            then(connection, server)
            return
        with socket.create_connection(to, timeout=20) as target:
            back = threading.Thread(target=_copy, args=(target, connection), daemon=True)
            back.start()
            _copy(connection, target)
            back.join()

    return script


def _copy(source, target):
    try:
        while True:
            target.sendall(_receive(source))
    except OSError:  # one of them hung up
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
