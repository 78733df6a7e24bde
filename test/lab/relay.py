# SPDX-License-Identifier: MIT
"""A door from this machine's loopback into the lab: TCP accepted here, connected in a namespace.

Only 127.0.0.1 listens, and only the one address inside is reached: the lab stays shut otherwise.
"""

import socket
import threading


class Relay:
    """127.0.0.1:port of this machine → address inside ns. Threads; close() ends all of them."""

    def __init__(self, port, ns, address):
        self.ns, self.address = ns, address
        self._lock = threading.Lock()
        self._open = set()
        self._server = socket.socket()
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._server.bind(("127.0.0.1", port))
        except OSError as e:
            self._server.close()
            raise OSError(e.errno, f"127.0.0.1:{port}: {e.strerror}") from None
        self._server.listen(128)
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near):
        far = self.ns.socket()
        with near, far:
            with self._lock:
                self._open |= {near, far}
            try:
                far.settimeout(5)
                far.connect(self.address)
                far.settimeout(None)
                back = threading.Thread(target=_pump, args=(far, near), daemon=True)
                back.start()
                _pump(near, far)
                back.join()
            except OSError:
                pass
            finally:
                with self._lock:
                    self._open -= {near, far}

    def close(self):
        """Listen no more and break what is open."""
        _shut(self._server, socket.SHUT_RDWR)
        self._server.close()
        with self._lock:
            for s in self._open:
                _shut(s, socket.SHUT_RDWR)


def _pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        _shut(source, socket.SHUT_RD)
    _shut(sink, socket.SHUT_WR)


def _shut(s, how):
    try:
        s.shutdown(how)
    except OSError:
        pass
