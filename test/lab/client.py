# SPDX-License-Identifier: MIT
"""An HTTP client that says exactly what it is told, from inside a namespace."""

import socket
import threading

from . import wire


class Conn:
    """One connection: bytes in, responses out. A context manager; a read times out as told."""

    def __init__(self, ns, address, timeout=10.0, source=None):
        self.address = address
        sock = ns.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        sock.settimeout(timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if source:
                sock.bind((source, 0))
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        self.sock = sock
        self.stream = wire.Stream(sock)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, data):
        """These bytes (or this latin-1 text), nothing else."""
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def read(self, method="GET"):
        """The next response to a request of that method."""
        return wire.read_response(self.stream, method)

    def ask(self, target="/", method="GET", headers=(), body=None, host="greenpi.test"):
        """One request and its response; the connection stays for the next."""
        self.send(format_request(target, method, headers, body, host))
        return self.read(method)

    def say(self, data):
        """These bytes and then the response: for malformed requests."""
        self.send(data)
        return self.read()

    def half_close(self):
        """No more from us; the peer may still talk."""
        self.sock.shutdown(socket.SHUT_WR)

    def closed(self):
        """Has the peer closed (waits for its next word as long as the timeout)?"""
        return self.stream.at_end()

    def reset(self):
        """Close with a RST instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self):
        self.sock.close()


def format_request(target, method="GET", headers=(), body=None, host="greenpi.test"):
    """The bytes of a request. headers: a dict or (name, value) pairs; host None: no Host."""
    pairs = list(headers.items() if isinstance(headers, dict) else headers)
    if host is not None:
        pairs.insert(0, ("Host", host))
    framed = {n.lower() for n, _ in pairs} & {"content-length", "transfer-encoding"}
    if body is not None and not framed:
        pairs.append(("Content-Length", str(len(body))))
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in pairs) + "\r\n"
    return head.encode("latin-1") + (body or b"")


class Client:
    """Asks one address, each time by a new connection, or as a browser that keeps cookies."""

    def __init__(self, ns, address, timeout=10.0, source=None):
        self.ns, self.address, self.timeout, self.source = ns, address, timeout, source

    def conn(self, timeout=None):
        """A fresh connection, the caller's to close."""
        return Conn(self.ns, self.address, timeout or self.timeout, self.source)

    def get(self, target="/", **kw):
        """GET on a connection of its own."""
        return self.ask(target, **kw)

    def ask(self, target="/", method="GET", **kw):
        """Any request on a connection of its own, which is closed after the response."""
        with self.conn() as c:
            return c.ask(target, method, **kw)

    def say(self, data):
        """Raw bytes on a connection of their own, and the response to them."""
        with self.conn() as c:
            return c.say(data)

    def browser(self):
        """A visitor whose cookies are kept and sent."""
        return Browser(self)

    def parallel(self, n, target="/", **kw):
        """n GETs at the same moment, each on its own connection; their responses in order."""
        return at_once(n, lambda i: self.get(target, **kw))


class Browser:
    """A client with a cookie jar (names and values only; every cookie goes to every path)."""

    def __init__(self, client):
        self.client = client
        self.jar = {}

    def get(self, target="/", headers=(), **kw):
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        if self.jar:
            pairs.append(("Cookie", "; ".join(f"{n}={v}" for n, v in self.jar.items())))
        response = self.client.get(target, headers=pairs, **kw)
        self.jar.update(response.cookies())
        return response


def at_once(n, work):
    """work(0) .. work(n-1) in n threads that start together; results in order, or an error."""
    results, errors = [None] * n, []
    gate = threading.Barrier(n)

    def one(i):
        try:
            gate.wait(timeout=10)
            results[i] = work(i)
        except Exception as e:  # handed to the caller below
            errors.append(e)

    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=60)
    if errors:
        raise errors[0]
    return results


class Load:
    """Steady GETs in the background, by a few threads on kept or fresh connections, until stop().

    A request counts as failed when it does not end in a complete response of the wished status. A
    connection that the peer closed between two requests is opened anew without blame, as every
    browser does, but only when it had been used before and not one byte of the response came.
    """

    def __init__(self, client, targets=("/",), threads=4, keep=True, status=200, headers=()):
        self.client, self.targets, self.keep, self.status = client, list(targets), keep, status
        self.headers = headers
        self.done = 0
        self.failures = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = []
        for i in range(threads):
            self._threads.append(threading.Thread(target=self._run, args=(i,), daemon=True))
            self._threads[-1].start()

    def _run(self, i):
        conn = None
        while not self._stop.is_set():
            target = self.targets[i % len(self.targets)]
            i += 1
            try:
                conn, response = self._one(conn, target)
                good = response.status == self.status and response.complete
                problem = None if good else repr(response)
                if not self.keep or "close" in (response.header("Connection") or ""):
                    conn.close()
                    conn = None
            except (OSError, wire.WireError, AssertionError, ValueError, IndexError) as e:
                problem = repr(e)
                conn = None
            with self._lock:
                self.done += 1
                if problem:
                    self.failures.append(f"{target}: {problem}")
        if conn:
            conn.close()

    def _one(self, conn, target):
        if conn:
            before = conn.stream.total
            try:
                return conn, conn.ask(target, headers=self.headers)
            except (OSError, wire.WireError):
                conn.close()
                if conn.stream.total != before:
                    raise
        conn = self.client.conn()
        try:
            return conn, conn.ask(target, headers=self.headers)
        except Exception:
            conn.close()
            raise

    def stop(self):
        """End it and return self, so that `load.stop().failures == []` reads well."""
        self._stop.set()
        for t in self._threads:
            t.join(timeout=30)
        return self
