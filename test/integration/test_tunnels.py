# SPDX-License-Identifier: MIT
"""What is more than a request and its answer, through lbd and edged to an origin: WebSockets, by a client and a server
of Debian's; interim responses; requests that wait for leave to send their body."""

import asyncio
import os
import re
import signal
import threading

import pytest
import websockets

from lab import wire
from lab.wait import wait_until
from lab.websocket import EchoServer, converse

LBD = ("127.0.0.1", 80)


def both(lab, origin, lb="", **edge):
    """lbd before edged before the origin."""
    e = lab.edged(origin, **edge)
    return lab.lbd([("127.0.0.1", 6081)], extra=f"[lb]\n{lb}\n", retries=0), e


def log_line(lb, part):
    """The access log's line with part in it; lines are written within a second."""
    def found():
        return [line for line in lb.output().splitlines() if part in line and " web " in line]
    wait_until(found, deadline=5)
    return found()[-1]


async def echoed(c, message):
    """It is sent to the server and comes back."""
    await c.send(message)
    assert await c.recv() == message


def flags(line):
    """Termination state, and the status before it."""
    return re.search(r" (-?\d+) \d+ - - (\S{4}) ", line).groups()


def test_a_websocket_through_both(lab):
    with EchoServer(lab.ns, ("127.0.0.1", 7901)) as ws:
        lb, e = both(lab, ws)
        large = os.urandom(1 << 20)

        async def talk(c):
            await echoed(c, "grüezi")
            await echoed(c, b"\0\xff" * 500)
            for n in (125, 126, 65535, 65536, 16384, 100001):
                await echoed(c, large[:n])
            await echoed(c, large)
            pong = await c.ping(b"are you there")
            await asyncio.wait_for(pong, 5)
        converse(lab.ns, LBD, talk)
        wait_until(lambda: ws.codes == [1000], deadline=5)
        status, state = flags(log_line(lb, "GET /chat"))
        assert (status, state) == ("101", "----")
        assert e.counter("passes") == 1
        # nothing of it is left, and requests go on
        wait_until(lambda: lb.counter("clients") == 0 and e.counter("clients") == 0, deadline=5)


def test_the_server_closes_a_websocket(lab):
    with EchoServer(lab.ns, ("127.0.0.1", 7901)) as ws:
        both(lab, ws)

        async def talk(c):
            await c.send("bye")
            with pytest.raises(websockets.ConnectionClosed):
                await c.recv()
            return c.close_code, c.close_reason
        assert converse(lab.ns, LBD, talk) == (1000, "bye")


def test_many_websockets_at_once(lab):
    with EchoServer(lab.ns, ("127.0.0.1", 7901)) as ws:
        lb, _ = both(lab, ws)

        async def talk(c):
            for i in range(20):
                await echoed(c, f"message {i}" * 100)

        threads = [threading.Thread(target=converse, args=(lab.ns, LBD, talk)) for _ in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(timeout=30)
        wait_until(lambda: ws.codes == [1000] * 20, deadline=5)
        assert lb.counter("requests") == 20


def test_an_idle_websocket_stays(lab):
    """No other timeout counts in a tunnel, and tunnel-timeout counts from the last byte of either side."""
    with EchoServer(lab.ns, ("127.0.0.1", 7901)) as ws:
        both(lab, ws, lb="client-timeout = 300ms\nkeep-alive-timeout = 300ms\nrequest-timeout = 300ms\n"
                         "tunnel-timeout = 2s\n",
             client_timeout="300ms", keep_alive_timeout="300ms", request_timeout="300ms",
             origin_timeout="300ms", tunnel_timeout="2s")

        async def talk(c):
            for _ in range(3):
                await asyncio.sleep(1.2)  # idle, for longer than all timeouts but one
                await echoed(c, "still here")
        converse(lab.ns, LBD, talk)


@pytest.mark.parametrize("short", ["lbd", "edged"])
def test_a_silent_websocket_is_cut(lab, short):
    with EchoServer(lab.ns, ("127.0.0.1", 7901)) as ws:
        lb, e = both(lab, ws, lb="tunnel-timeout = 700ms\n" if short == "lbd" else "",
                     **({"tunnel_timeout": "700ms"} if short == "edged" else {}))

        async def talk(c):
            await echoed(c, "hello")
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(c.recv(), 5)
            return c.close_code
        assert converse(lab.ns, LBD, talk) == 1006
        wait_until(lambda: ws.open == 0, deadline=5)
        status, state = flags(log_line(lb, "GET /chat"))
        assert status == "101" and state[:2] == ("cD" if short == "lbd" else "--")
        wait_until(lambda: lb.counter("clients") == 0 and e.counter("clients") == 0, deadline=5)


def test_a_websocket_ends_before_the_daemon_does(lab):
    with EchoServer(lab.ns, ("127.0.0.1", 7901)) as ws:
        lb, e = both(lab, ws)

        async def talk(c):
            await echoed(c, "before")
            for d in (lb, e):
                os.kill(d.pid, signal.SIGTERM)
            await asyncio.sleep(0.5)  # they are well within their drain
            await echoed(c, "while they drain")
        converse(lab.ns, LBD, talk)
        assert flags(log_line(lb, "GET /chat")) == ("101", "----")
        lb.stop(timeout=5)
        e.stop(timeout=5)


def test_a_websocket_is_ended_with_the_daemon(lab):
    with EchoServer(lab.ns, ("127.0.0.1", 7901)) as ws:
        lb, _ = both(lab, ws)

        async def talk(c):
            await echoed(c, "before")
            os.kill(lb.pid, signal.SIGTERM)
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(c.recv(), 20)
        converse(lab.ns, LBD, talk)
        lb.stop(timeout=5)
        assert flags(log_line(lb, "GET /chat")) == ("101", "KD--")


def test_a_server_that_declines_a_websocket(lab):
    origin = lab.origin()
    lb, _ = both(lab, origin)

    async def talk(c):
        raise AssertionError("there is no such thing here")
    with pytest.raises(websockets.InvalidStatusCode) as refused:
        converse(lab.ns, LBD, talk, target="/t/x?status=403")
    assert refused.value.status_code == 403
    assert "Upgrade" in origin.requests[0].header("Connection")
    assert flags(log_line(lb, "/t/x")) == ("403", "----")


# -- interim responses

def scripted(conversation):
    """An origin whose connections are each a call of conversation(call, stream)."""
    def behave(call):
        call.keep = False
        conversation(call, wire.Stream(call.sock))
    behave.at_accept = True
    return behave


def curl(lab, *args):
    """curl's view: its standard output, with the heads of all responses."""
    return lab.ns.run("curl", "-s", "-S", "-i", "--max-time", "10", "--expect100-timeout", "9", *args)


def test_the_origin_says_continue(lab):
    body = b"x" * 70000
    seen = []

    def talk(call, stream):
        seen.append(stream.until(b"\r\n\r\n"))
        assert not stream.buf
        call.send("HTTP/1.1 100 Continue\r\n\r\n")
        seen.append(stream.exactly(len(body)))
        call.answer(201, b"made")

    both(lab, lab.origin(scripted(talk)))
    path = os.path.join(lab.dir, "body")
    with open(path, "wb") as f:
        f.write(body)
    out = curl(lab, "-T", path, "-H", "Expect: 100-continue", "http://127.0.0.1/up")
    assert out.startswith("HTTP/1.1 100 Continue\r\n") or out.startswith("HTTP/1.1 100 Continue\n")
    assert "HTTP/1.1 201" in out and out.endswith("made")
    assert b"Expect: 100-continue" in seen[0] and seen[1] == body


@pytest.mark.parametrize("status", [401, 417])
def test_the_origin_refuses_a_body_at_once(lab, status):
    seen = []

    def talk(call, stream):
        seen.append(stream.until(b"\r\n\r\n"))
        call.answer(status, b"no")
        seen.append(stream.rest())

    lb, _ = both(lab, lab.origin(scripted(talk)))
    path = os.path.join(lab.dir, "body")
    with open(path, "wb") as f:
        f.write(b"x" * 100000)
    out = curl(lab, "-T", path, "-H", "Expect: 100-continue", "http://127.0.0.1/up")
    assert f"HTTP/1.1 {status} Lab" in out and "100 Continue" not in out and out.endswith("no")
    wait_until(lambda: len(seen) == 2, deadline=5)
    assert seen[1] == b""  # curl never sent it
    assert flags(log_line(lb, "PUT /up"))[0] == str(status)


@pytest.mark.parametrize("target", ["/page", "/page?cc"])
def test_early_hints_through_both(lab, target):
    """On a miss as on what is not stored: the leader of a fetch hears what the origin says meanwhile."""
    cc = "max-age=60" if "cc" in target else "no-store"
    go = threading.Event()

    def talk(call, stream):
        while stream.until(b"\r\n\r\n"):
            call.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nServer: hidden\r\n\r\n")
            go.wait(5)
            call.answer(200, b"page", [("Cache-Control", cc), ("Link", "</a.css>; rel=preload")])

    lb, _ = both(lab, lab.origin(scripted(talk)))
    with lb.conn() as c:
        c.send(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")
        hint = c.read()
        assert hint.status == 103 and hint.headers == [("Link", "</a.css>; rel=preload")]
        go.set()
        assert c.read().body == b"page"
        second = c.ask(target, host="h")
        if cc == "no-store":
            assert second.status == 103
            second = c.read()
        assert second.body == b"page"
        assert ("hit" in second.header("Cache-Status")) == (cc != "no-store")
