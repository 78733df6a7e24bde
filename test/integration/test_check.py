# SPDX-License-Identifier: MIT
"""The diagnostic command `check` of the threaded daemons."""

import socket

import pytest

from lab.wait import wait_until

LARGE = 8_000_000  # more than the sockets on its way hold


@pytest.mark.parametrize("name", ["lbd", "edged"])
def test_check_counts_what_there_is(lab, name):
    origin = lab.origin()
    extra = "[lb]\nworkers = 3\n"
    daemon = lab.lbd(pool=[origin], extra=extra) if name == "lbd" else lab.edged(origin, workers=3)

    def checked():
        reply = daemon.ask_json("check")
        assert reply["standstill"] == 1  # all three workers, though they have nothing else to do
        return reply["checked"]

    idle = checked()
    clients = [daemon.conn() for _ in range(20)]
    for c in clients:
        assert c.ask("/t/x?cc=no-store").status == 200
    assert checked() >= idle + 20
    for c in clients:
        c.close()
    # The next command of a connection waits for the reply; others do not.
    assert daemon.tell("check\nversion").startswith("checked ")
    assert "check: diagnostics" in daemon.tell("help")


@pytest.mark.parametrize("name", ["lbd", "edged"])
def test_check_finds_the_holder_of_each_buffer_and_pipe(lab, name):
    origin = lab.origin()
    daemon = lab.lbd(pool=[origin], extra="[lb]\nworkers = 2\n") if name == "lbd" else lab.edged(origin, workers=2)
    clients = [daemon.conn() for _ in range(9)]
    for i, c in enumerate(clients[:3]):  # waits in a pipe for a client that does not read
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        c.send(f"GET /t/{i}?cc=no-store&size={LARGE} HTTP/1.1\r\nHost: a\r\n\r\n")
        c.stream.until(b"\r\n\r\n")
    for c in clients[3:6]:  # a part of a head
        c.send("GET /t/x HTTP/1.1\r\nHo")
    for c in clients[6:]:  # a part of a body
        c.send("POST /t/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + 1000 * "b")
    wait_until(lambda: daemon.counter("requests") == 6, deadline=5)
    for _ in range(20):
        assert daemon.ask_json("check")["standstill"] == 1
    for c in clients[:3]:
        c.stream.exactly(LARGE)
    for c in clients[6:]:
        c.send(99000 * "b")
        assert c.read().status == 200
    assert daemon.ask_json("check")["standstill"] == 1
    for c in clients:
        c.close()
    assert daemon.ask_json("check")["standstill"] == 1
