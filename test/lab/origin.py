# SPDX-License-Identifier: MIT
"""The web server behind the cache: honest, scripted or broken, as the test wants it.

An `Origin` listens in a namespace and lets its behaviour answer. It keeps every byte that reached
it, so that a test can assert that a bad request never did, and counts requests by target. Run as a
program, this file is an origin in a process of its own that serves the demo site and is asked for
its counts through a Unix socket: a board's power can be cut with its web server in it.

A behaviour is a function of a `Call`. What `site` understands is in its comment below.
"""

import argparse
import collections
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.parse

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import demosite, wire  # noqa: E402  (also run as a program)


class Call:
    """One request at an origin, and the connection to answer it on."""

    def __init__(self, origin, sock, request=None):
        self.origin, self.sock, self.request = origin, sock, request
        self.keep = True  # False: the connection ends after this answer

    def send(self, data):
        """These bytes as they are."""
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def answer(self, status=200, body=b"", headers=(), reason="Lab"):
        """A response with Content-Length; the body stays away for HEAD and 304."""
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        if status != 304:
            pairs.append(("Content-Length", str(len(body))))
        bare = status in (204, 304) or (self.request and self.request.method == "HEAD")
        self.send(format_head(status, pairs, reason) + (b"" if bare else body))


def format_head(status, headers, reason="Lab"):
    """The bytes of a response's head."""
    fields = "".join(f"{n}: {v}\r\n" for n, v in headers)
    return f"HTTP/1.1 {status} {reason}\r\n{fields}\r\n".encode("latin-1")


# -- behaviours

def reply(status=200, body=b"", headers=(), reason="Lab"):
    """Always this response."""
    return lambda call: call.answer(status, body, headers, reason)


def raw(data, keep=False):
    """Always these bytes, well-formed or not, and then the end unless keep."""
    def behave(call):
        call.keep = keep
        call.send(data)
    return behave


def in_turn(*behaviours):
    """One behaviour a request, the last one for ever."""
    left = list(behaviours)
    lock = threading.Lock()

    def behave(call):
        with lock:
            now = left.pop(0) if len(left) > 1 else left[0]
        now(call)
    return behave


def when(event, behaviour, deadline=20):
    """That behaviour, once the test sets the threading.Event."""
    def behave(call):
        event.wait(deadline)
        behaviour(call)
    return behave


def hang(call):
    """Read the request and say nothing until the client goes."""
    call.keep = False
    wire.Stream(call.sock).rest()


def close_after_request(call):
    """Read the request and close without a byte."""
    call.keep = False


def close_after_accept(call):
    """Close before anything is read."""
    call.keep = False


def reset_after_accept(call):
    """RST before anything is read."""
    call.keep = False
    call.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


for _f in (close_after_accept, reset_after_accept):
    _f.at_accept = True


def site(call):
    """The demo site and, under any other path, whatever the query asks for.

    status=N  body=TEXT or size=N  type=T  cc=CACHE-CONTROL  expires=SECONDS  etag=E  lm=HTTP-DATE
    (both answer 304 to a matching condition)  vary=FIELD  cookie=NAME=VALUE  hdr=Name:value (may
    repeat)  sleep=SECONDS  chunked=1  close=1  until_close=1 (no length at all).
    Every response has X-Origin (who) and X-Count (how many requests that target has had).
    """
    path, _, query = call.request.target.partition("?")
    args = urllib.parse.parse_qs(query, keep_blank_values=True)
    page = demosite.PAGES.get(path)
    count = call.origin.counts[call.request.target]
    marks = [("X-Origin", call.origin.name), ("X-Count", str(count))]
    if page and not args:
        demosite.answer(call, page, marks)
    elif path == "/greenpi/health":
        call.answer(200, b"ok\n", marks + [("Cache-Control", "no-store")])
    elif query or path.startswith("/t/"):
        _by_query(call, path, {k: v[0] for k, v in args.items()}, args.get("hdr", []), marks)
    else:
        call.answer(404, b"no such page\n", marks + [("Content-Type", "text/plain")])


def _by_query(call, path, a, extra, headers):
    if "sleep" in a:
        time.sleep(min(float(a["sleep"]), 20))
    named = (("type", "Content-Type"), ("cc", "Cache-Control"), ("etag", "ETag"),
             ("lm", "Last-Modified"), ("vary", "Vary"), ("cookie", "Set-Cookie"))
    headers = headers + [(field, a[key]) for key, field in named if key in a]
    headers += [tuple(h.split(":", 1)) for h in extra]
    if "expires" in a:
        headers.append(("Expires", http_date(time.time() + float(a["expires"]))))
    headers.append(("Date", http_date(time.time())))
    if _not_modified(call.request, a):
        call.answer(304, b"", headers)
        return
    body = a["body"].encode() if "body" in a else f"{call.origin.name} {path}\n".encode()
    if "size" in a:
        body = (body * (int(a["size"]) // len(body) + 1))[:int(a["size"])]
    status = int(a.get("status", "200"))
    if "close" in a:
        call.keep = False
        headers.append(("Connection", "close"))
    if "chunked" in a:
        _chunked(call, status, body, headers)
    elif "until_close" in a:
        call.keep = False
        call.send(format_head(status, headers) + (b"" if call.request.method == "HEAD" else body))
    else:
        call.answer(status, body, headers)


def _not_modified(request, a):
    if "etag" in a and request.header("If-None-Match") is not None:
        return a["etag"] in [t.strip() for t in request.header("If-None-Match").split(",")]
    return "lm" in a and request.header("If-Modified-Since") == a["lm"]


def _chunked(call, status, body, headers):
    call.send(format_head(status, headers + [("Transfer-Encoding", "chunked")]))
    if call.request.method == "HEAD":
        return
    step = max(1, len(body) // 3)
    for i in range(0, len(body), step):
        part = body[i:i + step]
        call.send(b"%x\r\n%s\r\n" % (len(part), part))
    call.send(b"0\r\n\r\n")


def http_date(t):
    """A time in seconds as IMF-fixdate."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(t))


# -- the server

class _Recorder(wire.Stream):
    """A stream that keeps what it reads for the origin's record."""

    def __init__(self, sock, record):
        super().__init__(sock)
        self.record = record

    def more(self):
        had = len(self.buf)
        ok = super().more()
        self.record += self.buf[had:]
        return ok


class Origin:
    """A threaded HTTP server in `ns` (None: where this process is). Close it when done."""

    KEEP = 20000  # the most requests and connections that are remembered

    def __init__(self, ns, address=("127.0.0.1", 0), behaviour=site, name="origin", proxy=False):
        self.name, self.behaviour = name, behaviour
        self.proxy = proxy                            # each connection begins with a PROXY header
        self.prefaces = []                            # those headers, as they came
        self.counts = collections.Counter()           # by target
        self.requests = collections.deque(maxlen=self.KEEP)
        self.received = collections.deque(maxlen=self.KEEP)  # a bytearray a connection, raw
        self.accepted = 0
        self._lock = threading.Lock()
        self._open = set()
        self._before_body = lambda request: None
        self._sock = wire.listen(ns, address) if ns else _listen_here(address)
        self.address = self._sock.getsockname()[:2]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def hits(self):
        """Requests seen in all."""
        return sum(self.counts.values())

    @property
    def connections(self):
        """How many are open now."""
        with self._lock:
            return len(self._open)

    def saw(self, data):
        """Did these bytes reach this origin on any connection?"""
        return any(data in record for record in list(self.received))

    def _accept(self):
        while True:
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            self.accepted += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        record = bytearray()
        self.received.append(record)
        with self._lock:
            self._open.add(sock)
        try:
            self._converse(sock, _Recorder(sock, record))
        except (OSError, wire.WireError, AssertionError, ValueError):
            pass  # the client went, or sent what the record will show
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _converse(self, sock, stream):
        if getattr(self.behaviour, "at_accept", False):
            self.behaviour(Call(self, sock))
            return
        if self.proxy:
            self.prefaces.append(wire.read_proxy_header(stream))
        while True:
            request = wire.read_request(stream, self._before_body)
            if request is None:
                return
            with self._lock:
                self.counts[request.target] += 1
                self.requests.append(request)
            call = Call(self, sock, request)
            if _wants_close(request):
                call.keep = False
            self.behaviour(call)
            if not call.keep:
                return

    def hold_bodies(self, event):
        """Read no request's body from now on until the threading.Event is set."""
        self._before_body = lambda request: "Content-Length" in dict(request.headers) and event.wait(20)

    def close(self):
        """Stop listening and break what is open: new connections are refused from now on."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._sock.close()
        with self._lock:
            for sock in self._open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self._thread.join(timeout=5)


def _wants_close(request):
    connection = ",".join(request.all("Connection")).lower()
    old = request.start.endswith("HTTP/1.0")
    return "close" in connection or (old and "keep-alive" not in connection)


def _listen_here(address):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(address)
    s.listen(1024)
    return s


# -- as a program

def _control(origin, path):
    """Answer each connection to the Unix socket with the record as JSON."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(16)
    while True:
        peer, _ = server.accept()
        with peer:
            record = {"hits": origin.hits, "counts": dict(origin.counts),
                      "received": [bytes(r).decode("latin-1") for r in list(origin.received)]}
            peer.sendall(json.dumps(record).encode())


class RemoteOrigin:
    """What the lab knows of an origin in another process, asked through its Unix socket."""

    def __init__(self, path):
        self.path = path

    def record(self):
        """{hits, counts by target, received as latin-1 text}."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.path)
            return json.loads(wire.Stream(s).rest())

    @property
    def hits(self):
        return self.record()["hits"]

    def count(self, target):
        """How many requests for that target it has had."""
        return self.record()["counts"].get(target, 0)

    def saw(self, data):
        """Did this text reach it on any connection?"""
        return any(data in r for r in self.record()["received"])


def main():
    args = argparse.ArgumentParser(description="The lab's web server with the demo site.")
    args.add_argument("--name", default=socket.gethostname())
    args.add_argument("--port", type=int, default=6080)
    args.add_argument("--control", required=True, help="the Unix socket that tells the counts")
    a = args.parse_args()
    origin = Origin(None, ("127.0.0.1", a.port), site, a.name)
    threading.Thread(target=_control, args=(origin, a.control), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if "NOTIFY_SOCKET" in os.environ:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    threading.Event().wait()


if __name__ == "__main__":
    main()
