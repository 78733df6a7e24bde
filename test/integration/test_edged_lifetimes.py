# SPDX-License-Identifier: MIT
"""What edged holds while it answers: nothing is sent from, or told to, what is already gone."""

import threading
import time

import pytest

from lab.client import format_request
from lab.origin import format_head, in_turn, raw, reply
from lab.wait import wait_until


def settled(value, seconds=0.5):
    """value() once it has not changed for that long."""
    seen, since = value(), time.monotonic()
    while time.monotonic() < since + seconds:
        time.sleep(0.01)
        if value() != seen:
            seen, since = value(), time.monotonic()
    return seen


# -- the head of an object whose body turns out empty

def test_a_head_waits_unharmed_for_a_slow_reader(lab):
    """A chunked response is complete, and empty, while its head waits in a full socket. Then the cache turns over."""
    mark = "H" * 7000

    def behave(call):
        if call.request.target.startswith("/empty"):
            call.send(format_head(200, [("Transfer-Encoding", "chunked"), ("Cache-Control", "max-age=600"),
                                        ("X-Mark", mark)]))
            time.sleep(0.004)  # a packet of its own
            call.send(b"0\r\n\r\n")
        else:
            call.answer(200, b"the text of another page " * 300, {"Cache-Control": "max-age=600"})

    o = lab.origin(behave)
    e = lab.edged(o, memory="1M", max_object="64K", workers=1)
    with e.conn() as c:
        c.send(b"".join(format_request(f"/empty{i}") for i in range(2000)))
        asked = settled(lambda: o.hits)
        assert asked < 2000, "the socket never filled"
        for i in range(400):
            assert e.get(f"/other{i}").status == 200
        for i in range(asked):
            answer = c.read()
            assert (answer.status, answer.header("X-Mark") == mark, answer.body) == (200, True, b""), f"answer {i}"


# -- a validation, and what others do to the address meanwhile

STALE = {"Cache-Control": "max-age=0, must-revalidate", "ETag": '"1"'}
FRESH = [("Cache-Control", "max-age=60"), ("ETag", '"2"')]

# Each takes away what is stored, or keeps what is being fetched from being stored.
MEANWHILE = {
    "purge": lambda e: e.ask("/x", "PURGE"),
    "soft purge": lambda e: e.ask("/x", "PURGE", headers={"X-Purge-Method": "soft"}),
    "purge elsewhere": lambda e: e.ask("/nowhere/.*", "PURGE", headers={"X-Purge-Method": "regex"}),
    "post": lambda e: e.ask("/x", "POST", body=b"comment"),
}
meanwhile = pytest.mark.parametrize("act", MEANWHILE.values(), ids=MEANWHILE)


class Validation:
    """/x is stored and stale. A client's request for it is at the origin, which answers GETs of it as told."""

    def __init__(self, lab, answer, first=reply(200, b"old", STALE), method="GET", **keys):
        self.asked, self.go = threading.Event(), threading.Event()
        gets = in_turn(first, self._held(answer), reply(200, b"asked once too often"))
        self.origin = lab.origin(lambda call: self._behave(call, gets))
        self.e = lab.edged(self.origin, grace="0", **{"workers": 1, **keys})
        assert self.e.get("/x").body == b"old"
        self.client = self.e.conn()
        self.client.send(format_request("/x", method))
        assert self.asked.wait(10)

    def _held(self, answer):
        def behave(call):
            self.asked.set()
            self.go.wait(20)
            answer(call)
        return behave

    def _behave(self, call, gets):
        if call.request.method == "POST":
            call.answer(200, b"posted")
        elif call.request.target == "/x":
            gets(call)
        else:
            call.answer(200, call.request.target.encode(), {"Cache-Control": "private"})

    def gets(self):
        return [r.method for r in self.origin.requests if r.target == "/x"].count("GET")


def in_two_packets(rest):
    """A new response: the head and half of its body, then the rest when told."""
    def behave(call):
        call.send(format_head(200, [*FRESH, ("Content-Length", "10")]) + b"abcde")
        rest.wait(20)
        call.send(b"fghij")
    return behave


@meanwhile
def test_the_validating_client_gets_the_answer_of_its_own_fetch(lab, act):
    rest = threading.Event()
    v = Validation(lab, in_two_packets(rest))
    with v.client as c:
        act(v.e)
        v.go.set()
        head = c.stream.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ") and c.stream.exactly(5) == b"abcde"
        rest.set()
        assert c.stream.exactly(5) == b"fghij"
    assert v.gets() == 2


@meanwhile
def test_the_next_client_gets_nothing_of_one_that_left(lab, act):
    rest = threading.Event()
    v = Validation(lab, in_two_packets(rest))
    act(v.e)
    v.go.set()
    v.client.stream.until(b"\r\n\r\n")
    v.client.reset()
    with v.e.conn() as bob:
        for _ in range(3):
            answer = bob.ask("/bob", headers={"Cookie": "PHPSESSID=bob"})
            assert (answer.status, answer.body, answer.cookies()) == (200, b"/bob", {})
            rest.set()
    assert v.gets() == 2


@meanwhile
def test_the_validating_head_request_is_answered_once(lab, act):
    rest = threading.Event()
    v = Validation(lab, in_two_packets(rest), method="HEAD")
    with v.client as c:
        act(v.e)
        v.go.set()
        answer = c.read("HEAD")
        assert (answer.status, answer.header("Content-Length"), answer.header("ETag")) == (200, "10", '"2"')
        rest.set()
        assert c.ask("/next", headers={"Cookie": "PHPSESSID=1"}).body == b"/next"
    assert v.gets() == 2


@meanwhile
@pytest.mark.parametrize("fields", [STALE, {**STALE, "X-New": "n"}], ids=["same head", "new head"])
def test_a_304_answers_the_client_that_validated(lab, act, fields):
    v = Validation(lab, reply(304, b"", fields))
    with v.client as c:
        act(v.e)
        v.go.set()
        answer = c.read()
        assert (answer.status, answer.body, answer.header("X-New")) == (200, b"old", fields.get("X-New"))
    assert v.gets() == 2


@meanwhile
def test_a_validation_that_outgrows_the_cache_streams_on(lab, act):
    body = b"0123456789" * 30000

    def whole_at_once(call):
        call.send(format_head(200, [*FRESH, ("Transfer-Encoding", "chunked")])
                  + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    v = Validation(lab, whole_at_once, max_object="4K")
    with v.client as c:
        act(v.e)
        v.go.set()
        answer = c.read()
        assert answer.complete and answer.body == body
    assert v.gets() == 2


@meanwhile
def test_a_validation_answered_privately_goes_to_its_client(lab, act):
    v = Validation(lab, reply(200, b"yours", {"Cache-Control": "private", "Set-Cookie": "session=alice"}))
    with v.client as c:
        act(v.e)
        v.go.set()
        answer = c.read()
        assert (answer.status, answer.body, answer.cookies()) == (200, b"yours", {"session": "alice"})
    assert v.gets() == 2


@pytest.mark.parametrize("failure, status", [(reply(503, b"bad"), 503), (raw(b"HTTP/1.1 200 OK\r\nX-Cut: "), 504)],
                         ids=["503", "cut"])
@pytest.mark.parametrize("purged", [False, True], ids=["stored", "purged"])
def test_a_failed_validation_never_brings_back_what_was_purged(lab, failure, status, purged):
    """Without the purge, stale-if-error lets the stored one answer."""
    usable = {"Cache-Control": "max-age=1, stale-if-error=600", "Age": "5", "ETag": '"1"'}
    v = Validation(lab, failure, first=reply(200, b"old", usable))
    with v.client as c:
        if purged:
            MEANWHILE["purge"](v.e)
        v.go.set()
        answer = c.read()
        assert (answer.status, answer.body == b"old") == ((status, False) if purged else (200, True))
    assert v.gets() == 2


def test_a_client_that_waited_for_a_validation_may_lead_the_next_fetch(lab):
    """Its own answer too is good for it, although that was purged before it came."""
    asked, go = [threading.Event() for _ in "12"], [threading.Event() for _ in "12"]

    def held(i, behaviour):
        def behave(call):
            asked[i].set()
            go[i].wait(20)
            behaviour(call)
        return behave

    rest = threading.Event()
    o = lab.origin(in_turn(reply(200, b"old", STALE),
                           held(0, reply(200, b"private", {"Cache-Control": "private"})),
                           held(1, in_two_packets(rest)),
                           reply(200, b"asked once too often")))
    e = lab.edged(o, workers=1)
    e.get("/x")
    with e.conn() as first, e.conn() as second:
        first.send(format_request("/x"))
        assert asked[0].wait(10)
        second.send(format_request("/x"))
        wait_until(lambda: e.counter("requests") == 3)
        e.ask("/x", "PURGE")
        go[0].set()
        assert first.read().body == b"private"
        assert asked[1].wait(10)
        e.ask("/x", "PURGE")
        go[1].set()
        head = second.stream.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ") and second.stream.exactly(5) == b"abcde"
        rest.set()
        assert second.stream.exactly(5) == b"fghij"
    assert o.hits == 3
