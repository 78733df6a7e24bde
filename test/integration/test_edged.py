# SPDX-License-Identifier: MIT
"""The cache as its clients and its origin see it: each test is the conversation, ending on counters."""

import contextlib
import os
import threading
import time

import pytest

from lab.client import Load, at_once
from lab.origin import close_after_request, hang, in_turn, raw, reply, when
from lab.wait import wait_until
from lab.wire import WireError


def status_of(response):
    return response.header("Cache-Status") or ""


def held_memory(d):
    return d.ask_json("state")["bytes"]


# -- what is stored

def test_the_second_request_is_a_hit_with_its_age(lab):
    o = lab.origin()
    e = lab.edged(o)
    first, second = e.get("/t/a?cc=max-age=60"), e.get("/t/a?cc=max-age=60")
    assert first.body == second.body and o.counts["/t/a?cc=max-age=60"] == 1
    assert "fwd=uri-miss" in status_of(first) and "hit" in status_of(second)
    assert int(second.header("Age")) >= 0
    assert (e.counter("misses"), e.counter("hits")) == (1, 1)


@pytest.mark.parametrize("query, stored", [
    ("", True),
    ("cc=max-age=60", True),
    ("cc=s-maxage=60,max-age=0", True),
    ("cc=no-store", False),
    ("cc=private", False),
    ("cc=max-age=0", False),
    ("cookie=a=b", False),
    ("vary=*", False),
    ("status=404", True),
    ("status=500", False),
    ("status=302", False),
    ("chunked=1", True),
    ("until_close=1", False),
])
def test_what_may_be_stored(lab, query, stored):
    o = lab.origin()
    e = lab.edged(o)
    target = f"/t/x?{query}&body=same"
    bodies = [e.get(target).body for _ in range(3)]
    assert bodies == [b"same"] * 3
    assert o.counts[target] == (1 if stored else 3)


def test_many_workers_ask_the_origin_once(lab):
    o = lab.origin()
    e = lab.edged(o, workers=4)
    answers = e.parallel(50, "/t/slow?sleep=0.3&size=5000")
    assert {a.status for a in answers} == {200} and len({a.body for a in answers}) == 1
    assert o.counts["/t/slow?sleep=0.3&size=5000"] == 1


def test_what_may_not_be_stored_does_not_queue(lab):
    o = lab.origin()
    e = lab.edged(o)
    target = "/t/p?cc=private&sleep=0.5"
    e.get(target)
    began = time.monotonic()
    e.parallel(8, target)
    assert time.monotonic() - began < 2.5  # one after the other it were 4 s
    assert o.counts[target] == 9


def test_variants_by_vary(lab):
    o = lab.origin()
    e = lab.edged(o)
    target = "/t/v?vary=Accept-Language&body=x"
    for language in ("de", "en", "de", "en"):
        e.get(target, headers={"Accept-Language": language})
    assert o.counts[target] == 2
    target = "/t/v?vary=Accept-Encoding&body=x"
    for coding in ("gzip, br", "br;q=1, gzip;q=0.5", "identity", "gzip;q=0"):
        e.get(target, headers={"Accept-Encoding": coding})
    assert o.counts[target] == 2


def test_hosts_are_kept_apart_and_made_canonical(lab):
    o = lab.origin()
    e = lab.edged(o)
    for host in ("a.test", "A.TEST", "a.test:80", "a.test.", "b.test"):
        e.get("/t/h?body=x", host=host)
    assert o.counts["/t/h?body=x"] == 2


# -- while it is fetched

def dripping(go, head, parts):
    """Sends the head and the first part, then the rest when told."""
    def behave(call):
        call.send(head + parts[0])
        go.wait(10)
        call.send(b"".join(parts[1:]))
    return behave


def test_a_second_client_reads_along(lab):
    go = threading.Event()
    o = lab.origin(dripping(go, b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", [b"abcd", b"efgh"]))
    e = lab.edged(o)
    with e.conn() as one, e.conn() as two:
        for c in (one, two):
            c.send("GET /x HTTP/1.1\r\nHost: greenpi.test\r\n\r\n")
        for c in (one, two):
            got = b""
            while b"abcd" not in got:
                got += c.sock.recv(1000)
        go.set()
        for c in (one, two):
            assert c.sock.recv(1000) == b"efgh"
    assert len(o.requests) == 1


def test_the_first_client_may_leave(lab):
    go = threading.Event()
    o = lab.origin(dripping(go, b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", [b"abcd", b"efgh"]))
    e = lab.edged(o)
    with e.conn() as c:
        c.send("GET /x HTTP/1.1\r\nHost: greenpi.test\r\n\r\n")
        while b"abcd" not in c.sock.recv(1000):
            pass
        c.reset()
    go.set()
    assert e.get("/x").body == b"abcdefgh"
    assert len(o.requests) == 1


def test_a_body_cut_short_is_not_stored(lab):
    o = lab.origin(in_turn(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), reply(200, b"whole")))
    e = lab.edged(o)
    assert not e.get("/x").complete
    assert e.get("/x").body == b"whole"
    assert e.get("/x").body == b"whole" and len(o.requests) == 2


def test_a_chunked_body_cut_short_is_not_stored(lab):
    o = lab.origin(in_turn(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"),
                           reply(200, b"whole")))
    e = lab.edged(o)
    assert not e.get("/x").complete
    assert e.get("/x").body == b"whole"


# -- stale

def test_grace_serves_at_once_and_refreshes_once(lab):
    o = lab.origin()
    e = lab.edged(o)
    target = "/t/g?cc=max-age=1,stale-while-revalidate=60&sleep=0.4"
    first = e.get(target)
    wait_until(lambda: int(e.get(target).header("Age")) >= 1, deadline=5)
    began = time.monotonic()
    stale = e.parallel(10, target)
    assert time.monotonic() - began < 0.4
    assert {r.body for r in stale} <= {first.body} or all(r.status == 200 for r in stale)
    wait_until(lambda: o.counts[target] == 2, deadline=5)
    wait_until(lambda: e.get(target).header("X-Count") == "2", deadline=5)
    assert e.counter("stale_hits") >= 1


def test_validation_by_304(lab):
    o = lab.origin()
    e = lab.edged(o)
    target = "/t/e?cc=max-age=0,must-revalidate&etag=abc&size=20000"
    bodies = {e.get(target).body for _ in range(4)}
    assert len(bodies) == 1 and len(bodies.pop()) == 20000
    assert e.counter("revalidated") == 3


def test_a_304_brings_its_fields(lab):
    """RFC 9111 §4.3.4: Date, Cache-Control and the rest are those of the validation, the body's own stay."""
    old = {"ETag": '"1"', "Date": "Sun, 06 Nov 1994 08:49:37 GMT", "Cache-Control": "no-cache", "X-Round": "1",
           "X-Old": "o", "Content-Type": "text/plain"}
    new = {"ETag": '"1"', "Date": "Sun, 06 Nov 2033 08:49:37 GMT", "Cache-Control": "max-age=60", "X-Round": "2",
           "X-New": "n", "Content-Type": "text/wrong"}
    body = os.urandom(300000)
    o = lab.origin(in_turn(reply(200, body, old), reply(304, b"", new)))
    e = lab.edged(o)
    assert e.get("/x").header("X-Round") == "1"
    for _ in range(2):
        answer = e.get("/x")
        assert {n: answer.header(n) for n in old | new} == {**old, **new, "Content-Type": "text/plain"}
        assert answer.status == 200 and answer.body == body
    assert o.hits == 2 and o.requests[-1].header("If-None-Match") == '"1"'
    e.restart()  # and so it is kept
    answer = e.get("/x")
    assert (answer.header("X-Round"), answer.body, o.hits) == ("2", body, 2)


def test_many_wait_for_one_validation(lab):
    o = lab.origin()
    e = lab.edged(o, workers=2)
    target = "/t/e?cc=max-age=0,must-revalidate&etag=abc&sleep=0.3"
    e.get(target)
    asked = o.counts[target]
    answers = e.parallel(20, target)
    assert {a.status for a in answers} == {200}
    assert o.counts[target] - asked <= 2


def test_the_origin_fails_and_the_page_stays(lab):
    o = lab.origin(in_turn(reply(200, b"good", {"Cache-Control": "max-age=1", "ETag": '"1"'}), reply(503, b"bad")))
    e = lab.edged(o, grace="0")
    assert e.get("/x").body == b"good"
    wait_until(lambda: len(o.requests) > 1 or int(e.get("/x").header("Age")) >= 1, deadline=5)
    for _ in range(3):
        assert e.get("/x").body == b"good"


def test_nothing_stored_and_no_origin(lab):
    e = lab.edged(("127.0.0.1", 9))
    answer = e.get("/x")
    assert answer.status == 503 and answer.header("Retry-After")


def test_a_silent_origin_is_504(lab):
    e = lab.edged(lab.origin(hang), origin_timeout="300ms")
    assert e.get("/x").status == 504


def test_must_revalidate_is_obeyed_when_the_origin_is_gone(lab):
    o = lab.origin(in_turn(reply(200, b"good", {"Cache-Control": "max-age=0, must-revalidate", "ETag": '"1"'}),
                           close_after_request))
    e = lab.edged(o)
    assert e.get("/x").body == b"good"
    assert e.get("/x").status == 504


# -- clients' wishes

def test_conditional_requests_get_304(lab):
    o = lab.origin()
    e = lab.edged(o)
    target = "/t/c?etag=abc&body=hello"
    tag = e.get(target).header("ETag")
    for condition in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        answer = e.get(target, headers={"If-None-Match": condition})
        assert answer.status == 304 and answer.header("ETag") == tag and answer.body == b""
    assert e.get(target, headers={"If-None-Match": '"other"'}).body == b"hello"
    assert o.counts[target] == 1 and e.counter("not_modified") == 4


def test_head_from_a_stored_get_and_before_it(lab):
    o = lab.origin()
    e = lab.edged(o)
    assert e.ask("/t/h?body=hello", "HEAD").header("Content-Length") == "5"
    assert e.get("/t/h?body=hello").body == b"hello"
    assert e.ask("/t/h?body=hello", "HEAD").header("Content-Length") == "5"
    assert o.counts["/t/h?body=hello"] == 1 and o.requests[0].method == "GET"


def test_only_if_cached(lab):
    e = lab.edged(lab.origin())
    assert e.get("/t/o?body=x", headers={"Cache-Control": "only-if-cached"}).status == 504
    e.get("/t/o?body=x")
    assert e.get("/t/o?body=x", headers={"Cache-Control": "only-if-cached"}).status == 200


def test_cookies_bypass_or_are_taken_off(lab):
    o = lab.origin()
    e = lab.edged(o)
    e.get("/t/k?body=x", headers={"Cookie": "_ga=1; wp-settings-1=x"})
    assert o.requests[-1].header("Cookie") is None
    assert "hit" in status_of(e.get("/t/k?body=x", headers={"Cookie": "other=1"}))
    answer = e.get("/t/k?body=x", headers={"Cookie": "a=b; wordpress_logged_in_77=me"})
    assert "fwd=bypass" in status_of(answer)
    assert o.requests[-1].header("Cookie") == "a=b; wordpress_logged_in_77=me"
    assert e.counter("passes") == 1


def test_the_origin_sees_a_clean_request(lab):
    o = lab.origin()
    e = lab.edged(o)
    e.get("/t/z?body=x", headers=[("Range", "bytes=0-1"), ("If-None-Match", '"x"'), ("Connection", "X-Mine"),
                                  ("X-Mine", "1"), ("X-Forwarded-For", "9.9.9.9"), ("X-Other", "2")])
    seen = o.requests[-1]
    assert [seen.header(n) for n in ("Range", "If-None-Match", "X-Mine", "Connection")] == [None] * 4
    assert seen.header("X-Other") == "2" and "edged" in seen.header("Via")
    assert "127.0.0.1" in " ".join(v for n, v in seen.headers if n.lower() == "x-forwarded-for")


# -- trust

def reflects(*names):
    """An origin that believes what it is told: these fields make its page."""
    def behave(call):
        told = [f"{n}={v}" for n, v in call.request.headers if n.lower() in names]
        call.answer(200, "; ".join(told).encode(), {"Cache-Control": "max-age=60"})
    return behave


# No stored response may be made from these, whoever sends them.
OVERRIDES = ["X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override", "Proxy",
             "X_Forwarded_Host", "X_HTTP_Method_Override"]
# What a balancer says, and a stranger may not.
CLAIMS = ["X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Prefix", "X-Forwarded-Ssl",
          "X-Real-IP", "X-Host", "Forwarded"]


@pytest.mark.parametrize("name", [*OVERRIDES, *CLAIMS, "X-Forwarded-Host", "X-Forwarded-Proto"])
def test_a_stranger_makes_no_page_for_others(lab, name):
    o = lab.origin(reflects(name.lower()))
    e = lab.edged(o, trust="none")
    first = e.get("/p", headers={name: "evil.test"}, host="pi.test").body
    assert b"evil" not in first
    assert e.get("/p", host="pi.test").body == first and len(o.requests) == 1
    assert b"evil" not in e.get("/q", headers={name: "evil.test", "Cache-Control": "no-store"}, host="pi.test").body


@pytest.mark.parametrize("name", OVERRIDES)
def test_a_balancer_overrides_no_page_that_is_stored(lab, name):
    o = lab.origin(reflects(name.lower()))
    e = lab.edged(o)
    assert e.get("/p", headers={name: "/other"}).body == b""
    assert e.ask("/p", "HEAD", headers={name: "/other"}).status == 200
    assert len(o.requests) == 1


def test_an_editor_may_override_the_method_of_a_post(lab):
    o = lab.origin(reflects("x-http-method-override"))
    e = lab.edged(o, trust="none")
    answer = e.ask("/wp-json/wp/v2/posts/7", "POST", headers={"X-HTTP-Method-Override": "DELETE"}, body=b"{}")
    assert answer.body == b"X-HTTP-Method-Override=DELETE"


def test_what_the_origin_is_told_of_the_client(lab):
    lab.add_address("10.9.9.9")
    o = lab.origin()
    e = lab.edged(o)
    said = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "Shop.test:80",
            "X-Forwarded-Port": "443"}
    names = [*said, "Host"]
    e.get("/t/a?body=x", headers=said, host="PI.test")
    assert [o.requests[-1].all(n) for n in names] == [["1.2.3.4", "127.0.0.1"], ["https"], ["shop.test"], ["443"],
                                                     ["pi.test"]]
    e.client.source = "10.9.9.9"  # neither this host by its name nor a board
    e.get("/t/b?body=x", headers=said, host="PI.test")
    assert [o.requests[-1].all(n) for n in names] == [["10.9.9.9"], ["http"], ["pi.test"], [], ["pi.test"]]
    e.ask("/t/b?body=x", "POST", headers=said, body=b"1", host="PI.test")
    assert [o.requests[-1].all(n) for n in names] == [["10.9.9.9"], ["http"], ["pi.test"], [], ["pi.test"]]


def test_the_client_s_address_may_be_left_to_others(lab):
    o = lab.origin()
    e = lab.edged(o, forwarded_for="no")
    e.get("/t/a?body=x", headers={"X-Forwarded-For": "1.2.3.4"})
    assert o.requests[-1].all("X-Forwarded-For") == ["1.2.3.4"]
    e.get("/t/b?body=x")
    assert o.requests[-1].all("X-Forwarded-For") == []


def by_scheme(call):
    """As a site that wants TLS: a redirect to itself for all others."""
    if "https" in ",".join(call.request.all("X-Forwarded-Proto")):
        call.answer(200, b"tls", {"Cache-Control": "max-age=60"})
    else:
        call.answer(301, b"", {"Location": "https://pi.test" + call.request.target, "Cache-Control": "max-age=60"})


@pytest.mark.parametrize("claim", [
    [("Connection", "X-Forwarded-Proto"), ("X-Forwarded-Proto", "https")],
    [("X-Forwarded-Proto", "https,http")],
    [("X-Forwarded-Proto", "http"), ("X-Forwarded-Proto", "https")],
    [("X-Forwarded-Proto", "http, https")],
    [("X_Forwarded_Proto", "https")],
])
@pytest.mark.parametrize("trust", ["none", "127.0.0.1"])
def test_the_scheme_of_a_page_is_what_its_origin_was_told(lab, claim, trust):
    """Whatever the fields say, and whoever sends them: a page of one scheme is never served for the other."""
    e = lab.edged(lab.origin(by_scheme), trust=trust)
    e.get("/", headers=claim)
    assert e.get("/").status == 301
    if trust == "127.0.0.1":
        tls = e.get("/", headers={"X-Forwarded-Proto": "https"})
        assert (tls.status, tls.body) == (200, b"tls")
    assert e.get("/").status == 301


def test_no_host_is_taken_for_a_scheme(lab):
    o = lab.origin(by_scheme)
    e = lab.edged(o)
    assert e.get("/", host="https:443").status == 301
    assert e.get("/", host="443", headers={"X-Forwarded-Proto": "https"}).status == 200
    assert len(o.requests) == 2


def test_a_balancer_s_hosts_have_pages_of_their_own(lab):
    o = lab.origin(reflects("x-forwarded-host"))
    e = lab.edged(o)
    for host in ("a.test", "b.test", "A.test:80", "b.test, c.test", "bad/host", None):
        e.get("/p", host="pi.test", headers={"X-Forwarded-Host": host} if host else {})
    assert [r.header("X-Forwarded-Host") for r in o.requests] == ["a.test", "b.test", "pi.test"]
    assert e.get("/p", host="pi.test", headers={"X-Forwarded-Host": "b.test"}).body == b"X-Forwarded-Host=b.test"


def test_variants_differ_in_what_the_origin_was_sent(lab):
    o = lab.origin()
    e = lab.edged(o)
    target = "/t/l?vary=Accept-Language&body=x"
    e.get(target, headers=[("Connection", "Accept-Language"), ("Accept-Language", "de")])
    assert o.requests[-1].header("Accept-Language") is None
    assert "fwd" in status_of(e.get(target, headers={"Accept-Language": "de"}))
    assert "hit" in status_of(e.get(target))
    target = "/t/c?vary=Accept-Encoding,%20Cookie&body=x"
    for cookie in ("_ga=1", "_ga=2", "_ga=3"):
        e.get(target, headers={"Cookie": cookie})
    e.get(target)
    assert o.counts[target] == 1
    target = "/t/f?vary=X-Forwarded-For&body=x"
    e.get(target), e.get(target)
    assert o.counts[target] == 2


# -- passing

def test_posts_pass_and_make_the_page_stale(lab):
    o = lab.origin()
    e = lab.edged(o)
    target = "/t/post?body=x"
    e.get(target)
    assert e.ask(target, "POST", body=b"y" * 100000).status == 200
    assert o.requests[-1].body == b"y" * 100000
    e.get(target)
    wait_until(lambda: o.counts[target] == 3, deadline=5)


@pytest.mark.parametrize("chunked", ["", "&chunked=1"])
def test_what_is_too_large_streams_through(lab, chunked):
    o = lab.origin()
    e = lab.edged(o, memory="1M", max_object="256K")
    target = f"/t/big?size=3000000{chunked}"
    assert len(e.get(target).body) == 3000000
    answers = at_once(3, lambda i: e.get(target))
    assert [len(a.body) for a in answers if a.complete] == [3000000] * len([a for a in answers if a.complete])
    assert sum(a.complete for a in answers) >= 1
    assert held_memory(e) <= 1 << 20


def test_a_full_cache_is_no_error(lab):
    e = lab.edged(lab.origin(), memory="1M", max_object="256K")
    for i in range(120):
        assert len(e.get(f"/t/f{i}?size=30000").body) == 30000
    state = e.ask_json("state")
    assert state["evicted"] > 80 and state["bytes"] <= 1 << 20


def test_a_slow_reader_costs_no_memory(lab):
    e = lab.edged(lab.origin(), memory="4M", max_object="1M")
    before = e.rss_kb()
    with e.conn() as c:
        c.send("GET /t/dl?size=60000000&cc=no-store HTTP/1.1\r\nHost: greenpi.test\r\n\r\n")
        c.sock.recv(1000)
        assert "hit" in status_of(e.get("/t/other?body=x")) or e.get("/t/other?body=x").status == 200
        assert e.rss_kb() - before < 20000  # sanitizers' own included


# -- purging

def test_purge(lab):
    o = lab.origin()
    e = lab.edged(o)
    for target in ("/t/p/1?body=a", "/t/p/2?body=b", "/t/q?body=c"):
        e.get(target)
    assert e.ask("/t/p/1?body=a", "PURGE").body == b"Purged 1\n"
    e.get("/t/p/1?body=a")
    assert o.counts["/t/p/1?body=a"] == 2
    assert e.ask("/t/p/.*", "PURGE", headers={"X-Purge-Method": "regex"}).body == b"Purged 2\n"
    e.get("/t/q?body=c")
    assert o.counts["/t/q?body=c"] == 1


def test_purging_by_control_socket_says_what_it_wants(lab):
    e = lab.edged(lab.origin())
    for target in ("/t/p/1?body=a", "/t/p/2?body=b"):
        e.get(target)
    for wrong in ("purge", "purge /t/p/1", "purge http://greenpi.test/t/"):
        assert e.tell(wrong).startswith("error: ") and "wanted HOST/PATH, or all" in e.tell(wrong)
    assert e.tell("purge greenpi.test/t/p/1") == "purged 1\n"
    e.get("/t/p/3?body=c", headers={"X-Forwarded-Proto": "https"})
    assert e.tell("purge greenpi.test/t/p/3") == "purged 0\n"
    assert e.tell("purge https://greenpi.test/t/p/3") == "purged 1\n"
    assert e.tell("purge all") == "purged 1\n"


def test_purge_needs_permission(lab):
    lab.add_address("10.9.9.9")
    e = lab.edged(lab.origin(), purge_from="10.1.1.1")
    e.get("/t/p?body=a")
    assert e.ask("/t/p?body=a", "PURGE").status == 403
    assert "hit" in status_of(e.get("/t/p?body=a"))
    assert (e.counter("requests"), e.counter("purges"), e.counter("responses_5xx")) == (3, 0, 0)


@pytest.mark.parametrize("chain, status", [
    (["10.1.1.1"], 200),
    (["10.1.1.1, 127.0.0.1"], 200),
    (["9.9.9.9"], 403),
    (["10.1.1.1", "9.9.9.9"], 403),
    (["9.9.9.9, 127.0.0.1"], 403),  # a terminator on this host asked for a stranger
    (["9.9.9.9", "127.0.0.1"], 403),
    (["unknown"], 403),
    (["10.1.1.1:80"], 403),
])
@pytest.mark.parametrize("trust", ["none", "127.0.0.0/8 10.0.0.0/8"])
def test_every_hop_of_a_purge_needs_permission(lab, chain, status, trust):
    e = lab.edged(lab.origin(), purge_from="127.0.0.1 10.1.1.1", trust=trust)
    e.get("/t/p?body=a")
    assert e.ask("/t/p?body=a", "PURGE", headers=[("X-Forwarded-For", c) for c in chain]).status == status


# -- connections and the daemon

def test_the_keep_alive_race_is_not_the_clients_problem(lab):
    o = lab.origin(in_turn(reply(200, b"1", {"Cache-Control": "no-store"}), close_after_request,
                           reply(200, b"2", {"Cache-Control": "no-store"})))
    e = lab.edged(o)
    assert e.get("/x").body == b"1"
    assert e.get("/x").body == b"2"


def test_pipelined_requests_are_answered_in_order(lab):
    e = lab.edged(lab.origin())
    e.get("/t/1?body=one")
    with e.conn() as c:
        c.send(b"".join(b"GET /t/%d?body=%s HTTP/1.1\r\nHost: greenpi.test\r\n\r\n" % (n, w)
                        for n, w in ((1, b"one"), (2, b"two"), (1, b"one"), (3, b"three"))))
        assert [c.read().body for _ in range(4)] == [b"one", b"two", b"one", b"three"]


@pytest.mark.parametrize("how", ["restart", "crash"])
def test_the_cache_outlives_the_process(lab, how):
    o = lab.origin()
    e = lab.edged(o)
    for i in range(20):
        e.get(f"/t/w{i}?size=9000")
    getattr(e, how)()
    for i in range(20):
        assert "hit" in status_of(e.get(f"/t/w{i}?size=9000"))
    assert sum(o.counts.values()) == 20


def test_reload_keeps_the_cache_and_loses_nobody(lab):
    o = lab.origin()
    e = lab.edged(o)
    e.get("/t/r?body=x")
    load = Load(e.client, ["/t/r?body=x"], threads=2)
    for ttl in ("5s", "60s", "7s"):
        e.write_conf(f"[edge]\nlisten = 127.0.0.1:6081\norigin = 127.0.0.1:{o.address[1]}\nmemory = 16M\n"
                     f"default-ttl = {ttl}\n")
        e.reload()
    wait_until(lambda: load.done > 50, deadline=20)
    assert load.stop().failures == []
    assert o.counts["/t/r?body=x"] == 1


def listening_on(origin, *ports):
    listen = " ".join(f"127.0.0.1:{p}" for p in ports)
    return f"[edge]\nlisten = {listen}\norigin = 127.0.0.1:{origin.address[1]}\nmemory = 16M\nworkers = 2\n"


def answers(client):
    try:
        return client.get("/t/r?body=x").status == 200
    except (OSError, WireError):  # a listener closed with the connection in its queue
        return False


def test_reload_adds_and_removes_listeners(lab):
    o = lab.origin()
    e = lab.edged(conf=listening_on(o, 6081))
    other = lab.client(("127.0.0.1", 6082))
    assert not answers(other)
    for _ in range(3):  # an address that comes again is listened on again
        e.write_conf(listening_on(o, 6081, 6082))
        assert "done" in e.tell("reload")
        assert other.get("/t/r?body=x").body == b"x"  # bound before the reload is done
        e.write_conf(listening_on(o, 6081))
        assert "done" in e.tell("reload")
        wait_until(lambda: not answers(other), deadline=5)
    e.write_conf(listening_on(o, 6082))
    assert "done" in e.tell("reload")
    wait_until(lambda: not answers(e.client), deadline=5)
    assert "hit" in status_of(other.get("/t/r?body=x"))
    assert sum(o.counts.values()) == 1
    last = e.ask_json("version")["configuration"]
    assert "restart" not in e.logged(f"configuration {last} is active")


def test_connections_of_a_removed_listener_end_after_their_request(lab):
    gate = threading.Event()
    o = lab.origin(when(gate, reply(200, b"late")))
    e = lab.edged(conf=listening_on(o, 6081, 6082))
    other = lab.client(("127.0.0.1", 6082))
    with other.conn() as idle, other.conn() as busy:
        assert idle.ask("/greenpi/health").status == 200
        busy.send("GET /late HTTP/1.1\r\nHost: greenpi.test\r\n\r\n")
        wait_until(lambda: o.counts["/late"] == 1, deadline=5)
        e.write_conf(listening_on(o, 6081))
        assert "done" in e.tell("reload")
        assert idle.closed()
        gate.set()
        last = busy.read()
        assert (last.status, last.body, last.header("Connection")) == (200, b"late", "close")
        assert busy.closed()


def test_limits_raised_by_a_reload_serve_more(lab):
    gate = threading.Event()
    o = lab.origin(when(gate, reply(200, b"x", {"Cache-Control": "max-age=60"})))
    text = f"[edge]\norigin = 127.0.0.1:{o.address[1]}\nmemory = 16M\nlisten = 127.0.0.1:6081\nworkers = 1\n"
    e = lab.edged(conf=text + "maxconn = 10\norigin-maxconn = 4\n")
    e.write_conf(text + "maxconn = 500\norigin-maxconn = 100\n")
    assert "done" in e.tell("reload")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(e.conn()) for _ in range(200)]
        for i, c in enumerate(clients):  # pages of their own for 60 of them, one for all others
            c.send(f"GET /w{max(0, i - 140)} HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: len(o.counts) == 60, deadline=20)
        gate.set()
        assert [c.read().status for c in clients] == [200] * 200
    assert (e.counter("shed"), sum(o.counts.values())) == (0, 60)


def test_an_address_that_cannot_be_had_leaves_all_as_it_was(lab):
    o = lab.origin()
    e = lab.edged(conf=listening_on(o, 6081))
    taken = lab.origin(port=6083)
    e.write_conf(listening_on(o, 6082, 6083))
    assert "refused" in e.tell("reload")
    e.logged("6083")
    assert answers(e.client) and not answers(lab.client(("127.0.0.1", 6082)))
    taken.close()


def test_a_bad_configuration_is_refused(lab):
    e = lab.edged(lab.origin())
    e.write_conf("[edge]\nlisten = nowhere\nmax-object = 1G\nmemory = 16M\norigins = x\n")
    assert "refused" in e.tell("reload")
    out = e.logged("is refused")
    assert "listen" in out and "max-object" in out and 'did you mean `origin`' in out.replace('"', "`")
    assert e.get("/t/x?body=x").status == 200


# -- waiting

@pytest.mark.parametrize("workers", [1, 2])
def test_a_client_that_half_closes_while_waiting_gets_its_response(lab, workers):
    """The leader of the fetch as well as the clients that wait for it; a reset costs the others nothing."""
    go = threading.Event()
    o = lab.origin(when(go, reply(200, b"late", [("Cache-Control", "max-age=60")])))
    e = lab.edged(o, workers=workers)
    with contextlib.ExitStack() as stack:
        conns = [stack.enter_context(e.conn()) for _ in range(8)]
        for c in conns:
            c.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
            wait_until(lambda: o.hits == 1, deadline=5)
        wait_until(lambda: e.counter("requests") == 8, deadline=5)
        for c in conns[:4]:
            c.half_close()
        for c in conns[4:6]:
            c.reset()
        wait_until(lambda: e.counter("clients") == 6, deadline=5)
        go.set()
        for c in conns[:4]:
            answer = c.read()
            assert answer.body == b"late" and answer.header("Connection") == "close" and c.closed()
        for c in conns[6:]:
            answer = c.read()
            assert answer.body == b"late" and answer.header("Connection") is None
    assert o.hits == 1
