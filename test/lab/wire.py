# SPDX-License-Identifier: MIT
"""HTTP/1.1 messages on a socket, read plainly and without mercy for sloppy framing.

Shared by the lab's client and origins. Nothing is normalised: what a test asserts on is what was on
the wire, so heads keep their order, their case and their raw bytes.
"""

import socket


class WireError(Exception):
    """The peer's bytes are not the message that was expected, or they ended too early."""


class Message:
    """A request or a response. `start` is its first line, `headers` a list of (name, value)."""

    def __init__(self, start, headers, body=b"", raw_head=b""):
        self.start = start
        self.headers = headers
        self.body = body
        self.raw_head = raw_head
        self.complete = True  # False: the connection ended before the body did

    def all(self, name):
        """Every value of that field, in order."""
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def header(self, name, default=None):
        """The value of a field; AssertionError when it stands there more than once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times: {values}"
        return values[0] if values else default

    def __repr__(self):
        return f"<{type(self).__name__} {self.start!r} {self.headers!r} +{len(self.body)} bytes>"


class Request(Message):
    """A request as an origin saw it."""

    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]


class Response(Message):
    """A response as a client saw it."""

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def reason(self):
        return self.start.split(" ", 2)[2] if self.start.count(" ") >= 2 else ""

    def cookies(self):
        """Set-Cookie as {name: value}, attributes left out."""
        pairs = (v.split(";")[0].split("=", 1) for v in self.all("Set-Cookie"))
        return {p[0].strip(): p[1].strip() for p in pairs if len(p) == 2}


class Stream:
    """A socket with what was read from it but not asked for yet."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""
        self.total = 0  # bytes ever read

    def more(self):
        """Read once more; False at the end of the stream (a reset counts as one)."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            return False
        self.buf += data
        self.total += len(data)
        return bool(data)

    def until(self, mark):
        """All up to and with mark; None when the stream ends cleanly before its first byte."""
        while mark not in self.buf:
            if not self.more():
                if not self.buf:
                    return None
                raise WireError(f"ended before {mark!r}: {self.buf[:200]!r}")
        end = self.buf.index(mark) + len(mark)
        data, self.buf = self.buf[:end], self.buf[end:]
        return data

    def exactly(self, n):
        """n bytes, or fewer when the stream ends."""
        while len(self.buf) < n and self.more():
            pass
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def rest(self):
        """All until the end."""
        while self.more():
            pass
        data, self.buf = self.buf, b""
        return data

    def at_end(self):
        """Did the peer close? Waits for data or the end as long as the socket's timeout says."""
        return not self.buf and not self.more()


def parse_head(raw, kind):
    """A head with its empty line, as a message of that kind."""
    lines = raw.decode("latin-1").split("\r\n")
    headers = []
    for line in lines[1:]:
        if line:
            name, colon, value = line.partition(":")
            if not colon:
                raise WireError(f"not a field: {line!r}")
            headers.append((name, value.strip(" \t")))
    return kind(lines[0], headers, raw_head=raw)


def read_chunked(stream):
    """A chunked body and whether its end came; trailers are read and dropped."""
    body = b""
    while True:
        line = stream.until(b"\r\n")
        if line is None:
            return body, False
        size = int(line.split(b";")[0].strip(), 16)
        if size == 0:
            break
        body += stream.exactly(size)
        if stream.exactly(2) != b"\r\n":
            return body, False
    while True:
        line = stream.until(b"\r\n")
        if line in (b"\r\n", None):
            return body, line is not None


def read_body(stream, message, until_close):
    """Fill in message.body by the framing its head announces."""
    coding = ",".join(message.all("Transfer-Encoding")).lower()
    length = message.header("Content-Length")
    if coding:
        if coding.strip() != "chunked":
            raise WireError(f"Transfer-Encoding: {coding}")
        message.body, message.complete = read_chunked(stream)
    elif length is not None:
        message.body = stream.exactly(int(length))
        message.complete = len(message.body) == int(length)
    elif until_close:
        message.body = stream.rest()
    return message


def read_request(stream, before_body=lambda request: None):
    """The next request, or None when the client has gone. before_body() is told of its head."""
    raw = stream.until(b"\r\n\r\n")
    if raw is None:
        return None
    request = parse_head(raw, Request)
    before_body(request)
    return read_body(stream, request, until_close=False)


def read_proxy_header(stream):
    """The PROXY header that the connection begins with, of either version, as bytes."""
    start = stream.exactly(12)
    if start == b"\r\n\r\n\0\r\nQUIT\n":
        start += stream.exactly(4)
        return start + stream.exactly(start[14] << 8 | start[15])
    if not start.startswith(b"PROXY "):
        raise WireError(f"no PROXY header: {start!r}")
    return start + stream.until(b"\r\n")


def read_response(stream, method="GET"):
    """The next response (an interim 1xx counts as one); WireError when there is none."""
    raw = stream.until(b"\r\n\r\n")
    if raw is None:
        raise WireError("the connection ended where a response should be")
    response = parse_head(raw, Response)
    if method == "HEAD" or response.status < 200 or response.status in (204, 304):
        return response
    return read_body(stream, response, until_close=True)


def listen(ns, address, backlog=1024):
    """A listening TCP socket in a namespace; address is (host, port), port 0 takes a free one."""
    s = ns.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(address)
    s.listen(backlog)
    return s
