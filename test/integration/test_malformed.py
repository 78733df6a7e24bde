# SPDX-License-Identifier: MIT
"""Malformed requests: refused with a reason, and not a byte of them reaches an origin."""

import pytest

from lab.origin import raw
from lab.wait import wait_until

HOST = b"Host: greenpi.test\r\n"
OK = b"GET /before HTTP/1.1\r\n" + HOST + b"\r\n"


def get(fields=b"", line=b"GET /smuggled HTTP/1.1", host=HOST, body=b""):
    return line + b"\r\n" + host + fields + b"\r\n" + body


def post(fields, body=b""):
    return get(fields, b"POST /smuggled HTTP/1.1", body=body)


CASES = {
    "length and chunked": (
        post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
    "two lengths": (post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"12345"), 400),
    "a list of lengths": (post(b"Content-Length: 5, 6\r\n", b"12345"), 400),
    "a signed length": (post(b"Content-Length: +5\r\n", b"12345"), 400),
    "a length of 20 digits": (post(b"Content-Length: 99999999999999999999\r\n"), 400),
    "bare LF": (b"GET /smuggled HTTP/1.1\nHost: greenpi.test\n\n", 400),
    "obs-fold": (get(b"X-A: 1\r\n 2\r\n"), 400),
    "no Host": (get(host=b""), 400),
    "two Hosts": (get(b"Host: other.test\r\n"), 400),
    "blank before the colon": (get(b"X-A : 1\r\n"), 400),
    "no colon": (get(b"X-A\r\n"), 400),
    "NUL in a value": (get(b"X-A: 1\x002\r\n"), 400),
    "NUL in the target": (get(line=b"GET /smuggled\x00 HTTP/1.1"), 400),
    "CR in a value": (get(b"X-A: 1\r2\r\n"), 400),
    "a bad chunk size": (post(b"Transfer-Encoding: chunked\r\n", b"xyz\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk size beyond 64 bits": (
        post(b"Transfer-Encoding: chunked\r\n", b"11111111111111111\r\na\r\n"), 400),
    "a line of 9 KB": (get(line=b"GET /smuggled?" + b"a" * 9216 + b" HTTP/1.1"), 414),
    "101 fields": (get(b"".join(b"X-%d: 1\r\n" % i for i in range(100))), 431),
    "an unknown coding": (post(b"Transfer-Encoding: gzip\r\n"), 501),
    "HTTP/2.0 in plain words": (get(line=b"GET /smuggled HTTP/2.0"), 505),
}
# A body is sent on while it comes: the head before a broken one may have reached the origin.
STREAMED = ("a bad chunk size", "a chunk size beyond 64 bits")


@pytest.fixture(params=["lbd", "edged"])
def front(request, lab):
    """Each of the two daemons that parse requests, in front of an origin."""
    origin = lab.origin()
    return (lab.lbd(pool=[origin]) if request.param == "lbd" else lab.edged(origin)), origin


def test_malformed_requests_are_refused_and_go_no_further(front):
    daemon, origin = front
    wrong = {}
    for name, (request, status) in CASES.items():
        with daemon.conn(timeout=5) as c:
            answer = c.say(request)
            if answer.status != status or not c.closed():
                wrong[name] = answer.status
    assert wrong == {}
    assert daemon.get("/t/after?cc=no-store").status == 200
    reached = [bytes(r) for r in origin.received if b"smuggled" in r]
    assert all(b"chunked" in r.lower() for r in reached) and len(reached) <= len(STREAMED)
    assert not any(b"xyz" in r for r in reached)


@pytest.mark.parametrize("name", ["length and chunked", "two lengths", "bare LF", "two Hosts"])
def test_a_malformed_request_after_a_good_one(front, name):
    daemon, origin = front
    request, status = CASES[name]
    with daemon.conn(timeout=5) as c:
        c.send(OK + request)
        assert c.read().status in (200, 404) and c.read().status == status and c.closed()
    wait_until(lambda: origin.hits == 1)
    assert not origin.saw(b"smuggled")


def test_what_stands_behind_a_refused_request_is_not_read_as_one(front):
    daemon, origin = front
    with daemon.conn(timeout=5) as c:
        c.send(CASES["length and chunked"][0] + b"GET /second HTTP/1.1\r\n" + HOST + b"\r\n")
        assert c.read().status == 400 and c.closed()
    assert origin.hits == 0


def test_a_204_announces_no_length(lab):
    bad = raw(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nCache-Control: no-store\r\n\r\n", keep=True)
    origin = lab.origin(bad)
    lb = lab.lbd([origin])
    edge = lab.edged(origin)
    for front in (lb, edge):
        answer = front.get("/")
        assert (answer.status, answer.header("Content-Length")) == (204, None)
