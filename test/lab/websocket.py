# SPDX-License-Identifier: MIT
"""WebSocket servers and clients of Debian's python3-websockets, in a namespace, for tests that are not asynchronous.

    with EchoServer(lab.ns, ("127.0.0.1", 7001)) as ws: ...
    converse(lab.ns, address, talk): await talk(connection) in a loop of its own, and return what it returns
"""

import asyncio
import threading

import websockets

from . import wire

MOST = 8 << 20  # bytes of a message


class EchoServer:
    """Answers each message with itself; "bye" is answered by closing. Lives in a thread of its own."""

    def __init__(self, ns, address):
        self.address = address
        self.open = 0  # connections now
        self.codes = []  # how they were closed
        self._sock = wire.listen(ns, address)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exc):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(timeout=10)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self):
        self._over = asyncio.Event()
        async with websockets.serve(self._echo, sock=self._sock, max_size=MOST, ping_interval=None,
                                    close_timeout=1):
            self._ready.set()
            await self._over.wait()

    async def _echo(self, connection, *_):
        self.open += 1
        try:
            async for message in connection:
                if message == "bye":
                    await connection.close(1000, "bye")
                else:
                    await connection.send(message)
        except websockets.ConnectionClosed:
            pass
        finally:
            self.open -= 1
            self.codes.append(connection.close_code)


def converse(ns, address, talk, target="/chat", timeout=30):
    """A client's conversation, from its handshake to its end."""
    async def run():
        sock = ns.socket()
        sock.connect(address)
        sock.setblocking(False)
        url = f"ws://greenpi.test{target}"
        async with websockets.connect(url, sock=sock, max_size=MOST, ping_interval=None,
                                      close_timeout=1) as connection:
            return await talk(connection)
    return asyncio.run(asyncio.wait_for(run(), timeout))
