# SPDX-License-Identifier: MIT
"""The PROXY protocol: taken from balancers in front, and said to the servers behind."""

import contextlib
import ipaddress
import re
import signal
import struct
import time

import pytest

from lab.lab import edged_conf, lbd_conf
from lab.origin import close_after_request, in_turn, reply
from lab.wait import wait_until
from lab.wire import WireError

BALANCER = "10.1.0.1"  # the peer that has to begin with a header
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


def v1(source="192.0.2.7", destination="192.0.2.80", ports=(4711, 80)):
    version = ipaddress.ip_address(source).version
    return f"PROXY TCP{version} {source} {destination} {ports[0]} {ports[1]}\r\n".encode()


def v2(source="192.0.2.7", destination="192.0.2.80", ports=(4711, 80), tlvs=b""):
    a, b = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    block = a.packed + b.packed + struct.pack(">HH", *ports) + tlvs
    return SIGNATURE + bytes([0x21, 0x11 if a.version == 4 else 0x21]) + struct.pack(">H", len(block)) + block


VERSIONS = {"v1": v1, "v2": v2}

LOCAL = SIGNATURE + b"\x20\0\0\0"
UNKNOWN = b"PROXY UNKNOWN\r\n"
TLVS = b"\x04\0\0" + b"\xe0\x04\0" + bytes(1024)

HEADERS = {
    "v1": (v1(), "192.0.2.7"),
    "v1 of IPv6": (v1("2001:db8::7", "2001:db8::80"), "2001:db8::7"),
    "v2": (v2(), "192.0.2.7"),
    "v2 of IPv6": (v2("2001:db8::7", "2001:db8::80"), "2001:db8::7"),
    "v2 with TLVs": (v2(tlvs=TLVS), "192.0.2.7"),
    "v1 UNKNOWN": (UNKNOWN, BALANCER),
    "v2 LOCAL": (LOCAL, BALANCER),
}


def conf_of(kind, origin, networks, **keys):
    """keys: of [lb] or [edge]."""
    if kind == "edged":
        return edged_conf(origin, proxy_protocol=networks, **keys)
    lb = "".join(f"{k.replace('_', '-')} = {v}\n" for k, v in keys.items())
    return lbd_conf([origin], extra=f"[lb]\n{lb}").replace(
        "pool = p\n", f"pool = p\nproxy-protocol = {networks}\n", 1)


class Bench:
    """One daemon that takes headers from the balancer's address, before one origin."""

    def __init__(self, lab, kind, networks=BALANCER, **keys):
        self.kind, self.lab = kind, lab
        lab.add_address(BALANCER)
        self.origin = lab.origin()
        self.daemon = getattr(lab, kind)(conf=conf_of(kind, self.origin, networks, **keys))
        self.balancer = lab.client(self.daemon.client.address, source=BALANCER)
        self.count = 0

    def target(self):
        """One that was not asked for before, so that the origin is asked."""
        self.count += 1
        return f"/t/{self.count}"

    def clients(self, targets):
        """The client of each, as the origin was told."""
        told = {r.target: r.header("X-Forwarded-For") for r in self.origin.requests}
        return [told[t] for t in targets]

    def errors(self):
        return self.daemon.counter("proxy_errors")

    def logs(self, pattern, times=1):
        """The log has, or comes to have, that many lines with it."""
        wait_until(lambda: len(re.findall(pattern, self.daemon.output())) >= times, deadline=5)
        return len(re.findall(pattern, self.daemon.output())) == times


@pytest.fixture(params=["lbd", "edged"])
def bench(lab, request):
    return Bench(lab, request.param)


def send_dripping(c, data):
    for i in range(len(data)):
        c.send(data[i:i + 1])
        time.sleep(0.001)  # a packet each


def send_in_two(c, data):
    c.send(data[:9])
    time.sleep(0.05)  # a packet of its own, looked at before the rest is there
    c.send(data[9:])


def send_whole(c, data):
    c.send(data)


# -- the header

WAYS = [(name, how) for name in HEADERS for how in (send_whole, send_in_two, send_dripping)
        if (name, how) != ("v2 with TLVs", send_dripping)]


@pytest.mark.parametrize("name, how", WAYS, ids=lambda x: getattr(x, "__name__", x))
def test_a_header_names_the_client(bench, name, how):
    header, client = HEADERS[name]
    together, apart = bench.target(), bench.target()
    with bench.balancer.conn() as c:
        how(c, header + GET % together.encode())
        assert c.read().status == 200
    with bench.balancer.conn() as c:
        how(c, header)
        time.sleep(0.02)  # the handshake is over before the request comes
        assert c.ask(apart).status == 200
    assert bench.clients([together, apart]) == [client, client]
    assert bench.errors() == 0


def test_it_holds_for_all_requests_of_its_connection(bench):
    targets = [bench.target() for _ in range(5)]
    with bench.balancer.conn() as c:
        c.send(v2() + b"".join(GET % t.encode() for t in targets[:3]))
        assert [c.read().status for _ in range(3)] == [200] * 3
        assert [c.ask(t).status for t in targets[3:]] == [200] * 2
    assert bench.clients(targets) == ["192.0.2.7"] * 5


def test_each_connection_has_its_own(bench):
    targets = [bench.target() for _ in range(4)]
    with contextlib.ExitStack() as stack:
        conns = [stack.enter_context(bench.balancer.conn()) for _ in targets]
        for i, c in enumerate(conns):
            c.send(v1(f"192.0.2.{i}"))
        for t, c in zip(targets, conns):
            assert c.ask(t).status == 200
    assert bench.clients(targets) == [f"192.0.2.{i}" for i in range(4)]


def test_a_body_behind_it_arrives_whole(bench):
    body = bytes(range(256)) * 300
    with bench.balancer.conn() as c:
        c.send(v2() + b"POST /t/post HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert c.read().status == 200
    assert bench.origin.requests[-1].body == body


def test_a_client_may_half_close_behind_it(bench):
    with bench.balancer.conn() as c:
        c.send(v1() + GET % b"/t/half")
        c.half_close()
        assert c.read().status == 200 and c.closed()


# -- what is refused

NO_HEADERS = [
    (GET % b"/", "no PROXY header"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "no PROXY header"),
    (b"PROXY TCP4 192.0.2.7 192.0.2.80 4711\r\n", "PROXY header with malformed addresses"),
    (b"PROXY TCP4 192.0.2.7 192.0.2.80 4711 80\n", "PROXY header with a bare CR or LF"),
    (b"PROXY TCP4 " + b"1" * 100, "PROXY header without an end of line"),
    (SIGNATURE + b"\x31\x11\0\x0c" + bytes(12), "PROXY header of an unknown version or command"),
    (SIGNATURE + b"\x21\x11\0\x04" + bytes(4), "PROXY header shorter than its addresses"),
    (SIGNATURE + b"\x21\x11\xff\xff", "PROXY header is too long"),
]


@pytest.mark.parametrize("said, why", NO_HEADERS, ids=range(len(NO_HEADERS)))
def test_a_balancer_without_a_good_header_is_refused_by_name(bench, said, why):
    with bench.balancer.conn() as c:
        c.send(said + GET % b"/t/never")
        assert c.closed()
    assert bench.errors() == 1 and bench.origin.hits == 0
    assert bench.logs(rf"warning: conn {re.escape(BALANCER)}:\d+: {why}")
    assert bench.daemon.counter("requests") == 0


def test_refusals_are_logged_at_a_bounded_rate(bench):
    for _ in range(30):
        with bench.balancer.conn() as c:
            c.send(GET % b"/")
            assert c.closed()
    assert bench.errors() == 30
    assert bench.logs("no PROXY header", 10)


@pytest.mark.parametrize("part", [1, 12, 15, 27])
@pytest.mark.parametrize("header", [v1(), v2()], ids=["v1", "v2"])
def test_a_header_cut_by_a_close(bench, header, part):
    with bench.balancer.conn() as c:
        c.send(header[:part])
        c.half_close()
        assert c.closed()
    with bench.balancer.conn() as c:
        c.send(header[:part])
        time.sleep(0.05)  # it is looked at before the reset comes
        c.reset()
    wait_until(lambda: bench.errors() == 2, deadline=5)
    assert bench.logs("closed inside its PROXY header", 2)


def test_a_close_without_a_word_is_no_error(bench):
    with bench.balancer.conn() as c:
        c.half_close()
        assert c.closed()
    bench.balancer.conn().reset()
    with bench.balancer.conn() as c:
        assert c.say(v1() + GET % b"/t/after").status == 200
    assert bench.errors() == 0


@pytest.mark.parametrize("kind", ["lbd", "edged"])
@pytest.mark.parametrize("said", [b"", b"PROXY TCP4 192.0.2.7 "], ids=["silent", "dripping"])
def test_a_header_has_a_deadline_that_drops_do_not_move(lab, kind, said):
    bench = Bench(lab, kind, request_timeout="400ms")
    with bench.balancer.conn() as c:
        began = time.monotonic()
        for byte in said:
            c.send(bytes([byte]))
            time.sleep(0.01)  # it drips
        assert c.closed()
        assert 0.3 < time.monotonic() - began < 3
    assert bench.errors() == 1 and bench.logs("handshake not complete in time")


def test_half_a_header_costs_no_cpu(bench):
    """The socket is not ready before the rest is there: the worker sleeps."""
    def ticks():
        with open(f"/proc/{bench.daemon.pid}/stat", encoding="ascii") as f:
            return sum(int(w) for w in f.read().rsplit(")", 1)[1].split()[11:13])
    with bench.balancer.conn() as c:
        c.send(v2()[:20])
        time.sleep(0.1)  # what there is of it is looked at
        before = ticks()
        time.sleep(1)  # the time that is measured
        assert ticks() - before < 30  # of 100
        assert c.say(v2()[20:] + GET % b"/t/x").status == 200


def test_a_stop_waits_a_moment_for_a_header(bench):
    silent, begun = bench.balancer.conn(), bench.balancer.conn()
    with silent, begun:
        begun.send(v1()[:20])
        wait_until(lambda: bench.daemon.counter("clients") == 2, deadline=5)
        bench.daemon.proc.signal(signal.SIGTERM)
        began = time.monotonic()
        time.sleep(0.5)  # within the moment
        answer = begun.say(v1()[20:] + GET % b"/t/x")
        assert (answer.status, answer.header("Connection")) == (200, "close")
        assert silent.closed() and 1 < time.monotonic() - began < 4
        bench.daemon.stop()
        assert time.monotonic() - began < 6


# -- permission

def test_others_are_ordinary_clients(bench):
    assert bench.daemon.get("/t/plain").status == 200
    assert bench.clients(["/t/plain"]) == ["127.0.0.1"]
    for header in v1(), UNKNOWN, v2(), LOCAL:
        with bench.daemon.conn() as c:
            c.send(header + GET % b"/t/header")
            assert c.read().status == 400 and c.closed()
    assert bench.daemon.counter("refused") == 4 and bench.errors() == 0
    assert bench.origin.hits == 1


def test_reload_changes_proxy_protocol_peers(bench):
    header, plain = v1() + GET % b"/t/h", GET % b"/t/p"

    def status(said):
        with bench.balancer.conn() as c:
            c.send(said)
            try:
                return c.read().status
            except WireError:
                return None
    with bench.balancer.conn() as c:
        assert c.say(header).status == 200 and status(plain) is None
        bench.daemon.write_conf(conf_of(bench.kind, bench.origin, "none"))
        bench.daemon.reload()
        wait_until(lambda: status(plain) == 200, deadline=5)
        assert status(header) == 400
        assert c.ask("/t/kept").status == 200  # it stays that client's
        bench.daemon.write_conf(conf_of(bench.kind, bench.origin, "10.9.0.0/16 10.1.0.0/24"))
        bench.daemon.reload()
        wait_until(lambda: status(plain) is None, deadline=5)
        assert status(header) == 200
        assert c.ask("/t/kept2").status == 200
    assert bench.clients(["/t/kept", "/t/kept2"]) == ["192.0.2.7"] * 2


# -- the named address is the client's everywhere

def test_the_access_log_names_it(lab):
    bench = Bench(lab, "lbd")
    with bench.balancer.conn() as c:
        assert c.say(v1() + GET % b"/t/log").status == 200
        c.send(b"nonsense\r\n\r\n")
        assert c.read().status == 400
    wait_until(lambda: "<BADREQ>" in bench.daemon.output(), deadline=5)
    assert bench.logs(r"conn 192\.0\.2\.7:4711: 400")
    lines = [line for line in bench.daemon.output().splitlines() if " web " in line]
    assert len(lines) == 2 and all(line.startswith("192.0.2.7:4711 ") for line in lines)


@pytest.mark.parametrize("kind", ["lbd", "edged"])
def test_trust_is_asked_of_it(lab, kind):
    bench = Bench(lab, kind, trust="192.0.2.7 " + BALANCER)
    lie = b"GET %s HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n"
    for header, target in (v1("192.0.2.7"), b"/t/1"), (v1("192.0.2.8"), b"/t/2"):
        with bench.balancer.conn() as c:
            assert c.say(header + lie % target).status == 200
    assert [r.header("X-Forwarded-Proto") for r in bench.origin.requests] == ["https", "http"]


def test_purging_is_allowed_to_it(lab):
    bench = Bench(lab, "edged", purge_from=f"192.0.2.7 {BALANCER}")
    purge = b"PURGE /t/x HTTP/1.1\r\nHost: a\r\n\r\n"
    for header, status in (v1("192.0.2.7"), 200), (v1("192.0.2.8"), 403), (LOCAL, 200):
        with bench.balancer.conn() as c:
            assert c.say(header + purge).status == status


def test_the_statistics_page_takes_it_too(lab):
    o = lab.origin()
    lab.add_address(BALANCER)
    lb = lab.lbd([o], extra=f"[stats]\nbind = 127.0.0.1:81\nproxy-protocol = {BALANCER}\n")
    page = GET % b"/haproxy?stats"
    with lab.client(("127.0.0.1", 81), source=BALANCER).conn() as c:
        assert c.say(v2() + page).status == 200
    with lab.client(("127.0.0.1", 81), source=BALANCER).conn() as c:
        c.send(page)
        assert c.closed()
    assert lab.client(("127.0.0.1", 81)).say(page).status == 200
    assert lb.counter("proxy_errors") == 1
    with lab.client(("127.0.0.1", 80), source=BALANCER).conn() as c:  # the frontend has no list
        assert c.say(GET % b"/t/x").status == 200


# -- said to servers

def header_of(conn, version, destination="127.0.0.1", port=80):
    """What a server must hear of this client."""
    own = conn.sock.getsockname()[:2]
    return VERSIONS[version](own[0], destination, (own[1], port))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_gets_client_and_local_address(lab, version):
    o = lab.origin(proxy=True)
    lb = lab.lbd([o], send_proxy=version)
    body = bytes(range(256)) * 1000
    with lb.conn() as c:
        assert c.ask("/t/a").status == 200
        assert c.ask("/t/b", "POST", body=body).status == 200
        want = header_of(c, version)
    assert o.prefaces == [want] * 2  # what may not be repeated goes over a new connection
    assert o.requests[-1].body == body
    assert o.requests[0].header("X-Forwarded-For") == "127.0.0.1"


@pytest.mark.parametrize("version", VERSIONS)
def test_of_ipv6_too(lab, version):
    o = lab.origin(proxy=True)
    lb = lab.lbd(conf=lbd_conf([o], send_proxy=version).replace("127.0.0.1:80", "[::1]:80"))
    with lab.client(("::1", 80)).conn() as c:
        assert c.ask("/t/a").status == 200
        assert o.prefaces == [header_of(c, version, "::1")]
    assert lb.counter("connects") == 1


def test_a_connection_is_used_for_its_client_only(lab):
    o = lab.origin(proxy=True)
    lb = lab.lbd([o], send_proxy="v2", extra="[lb]\nworkers = 1\n")
    with lb.conn() as a, lb.conn() as b:
        for _ in range(3):
            assert a.ask("/t/x").status == b.ask("/t/x").status == 200
        assert o.prefaces == [header_of(a, "v2"), header_of(b, "v2")]
    assert lb.get("/t/x").status == 200
    assert o.accepted == 3 == lb.counter("connects")


def test_among_many_each_finds_its_own(lab):
    o = lab.origin(proxy=True)
    lb = lab.lbd([o], send_proxy="v2", extra="[lb]\nworkers = 1\nserver-idle = 1m\n")
    with contextlib.ExitStack() as stack:
        conns = [stack.enter_context(lb.conn()) for _ in range(150)]
        for _ in range(2):
            for c in conns:
                assert c.ask("/t/x").status == 200
        assert o.prefaces == [header_of(c, "v2") for c in conns]
    assert lb.counter("connects") == 150


@pytest.mark.parametrize("how", ["Connection: close\r\n", ""])
def test_no_connection_outlives_the_last_request_of_its_client(lab, how):
    o = lab.origin(proxy=True)
    lb = lab.lbd([o], send_proxy="v1", extra="[lb]\nserver-idle = 1h\n")
    version = "1.1" if how else "1.0"
    for _ in range(5):
        assert lb.say(f"GET /t/x HTTP/{version}\r\nHost: a\r\n{how}\r\n").status == 200
    wait_until(lambda: o.connections == 0, deadline=5)
    assert o.accepted == 5


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_balancer_in_front_said_is_passed_on(lab, version):
    lab.add_address(BALANCER)
    o = lab.origin(proxy=True)
    lb = lab.lbd(conf=lbd_conf([o], send_proxy=version).replace(
        "pool = p\n", f"pool = p\nproxy-protocol = {BALANCER}\n", 1))
    balancer = lab.client(lb.client.address, source=BALANCER)
    for said in v1(), v2(tlvs=TLVS), v1("2001:db8::7", "2001:db8::80"), UNKNOWN, LOCAL:
        with balancer.conn() as c:
            assert c.say(said + GET % b"/t/a").status == 200
            known = VERSIONS[version]() if said in (v1(), v2(tlvs=TLVS)) else header_of(c, version)
            if b"2001" in said:
                known = VERSIONS[version]("2001:db8::7", "2001:db8::80")
            assert o.prefaces[-1] == known


def test_a_broken_idle_connection_is_replaced_by_one_with_a_header(lab):
    o = lab.origin(in_turn(reply(200, b"1"), close_after_request, reply(200, b"2")), proxy=True)
    lb = lab.lbd([o], send_proxy="v2", extra="[lb]\nworkers = 1\n")
    with lb.conn() as c:
        assert (c.ask("/a").body, c.ask("/b").body) == (b"1", b"2")
        assert o.prefaces == [header_of(c, "v2")] * 2
    assert lb.counter("stale") == 1


def test_each_server_that_is_tried_hears_it(lab):
    bad, good = lab.origin(close_after_request, proxy=True), lab.origin(proxy=True)
    lb = lab.lbd([bad, good], send_proxy="v1", retries=1)
    with lb.conn() as c:
        assert c.ask("/t/x").status == 200
        assert bad.prefaces == good.prefaces == [header_of(c, "v1")]


def test_reload_changes_how_connections_begin(lab):
    plain, proxied = lab.origin(), lab.origin(proxy=True)
    lb = lab.lbd([plain], extra="[lb]\nworkers = 1\n")
    with lb.conn() as c:
        assert c.ask("/t/x").status == 200
        lb.write_conf(lbd_conf([proxied], send_proxy="v2", extra="[lb]\nworkers = 1\n"))
        lb.reload()
        wait_until(lambda: c.ask("/t/x").status == 200 and proxied.hits, deadline=5)
        assert set(proxied.prefaces) == {header_of(c, "v2")}
        lb.write_conf(lbd_conf([proxied], send_proxy="v1", extra="[lb]\nworkers = 1\n"))
        lb.reload()
        wait_until(lambda: c.ask("/t/x").status == 200 and len(proxied.prefaces) > 1, deadline=5)
        assert proxied.prefaces[-1] == header_of(c, "v1")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cache_names_whose_request_it_passes_on(lab, version):
    none = {"v1": UNKNOWN, "v2": LOCAL}[version]
    o = lab.origin(proxy=True)
    e = lab.edged(o, send_proxy=version, workers=1)
    with e.conn() as a, e.conn() as b:
        for c in a, b:
            assert c.ask("/t/page?cc=max-age=60").status == 200
            assert c.ask(f"/t/own?n={c.sock.getsockname()[1]}").status == 200
        assert o.prefaces == [none]  # what is for all goes over shared connections
        for c in a, b, a, b:
            assert c.ask("/t/pass", headers={"Cookie": "PHPSESSID=1"}).status == 200
        assert o.prefaces == [none, header_of(a, version, port=6081), header_of(b, version, port=6081)]
        assert a.ask("/t/post", "POST", body=b"x" * 100000).status == 200
        assert o.prefaces[3:] == [header_of(a, version, port=6081)]
        assert o.requests[-1].body == b"x" * 100000


def test_a_cache_keeps_no_connection_of_a_client_that_goes(lab):
    o = lab.origin(proxy=True)
    e = lab.edged(o, send_proxy="v2", origin_idle="1h", bypass_cookies="*")
    for _ in range(3):
        assert e.get("/t/x", headers={"Cookie": "a=b", "Connection": "close"}).status == 200
    wait_until(lambda: o.connections == 0, deadline=5)


# -- both together

@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_is_known_through_balancer_and_cache(lab, version):
    """curl, as a balancer, to lbd, to edged, to the origin."""
    lab.add_address(BALANCER)
    o = lab.origin()
    e = lab.edged(o, proxy_protocol="127.0.0.0/8", purge_from=BALANCER, trust="none")
    lb = lab.lbd(conf=lbd_conf([e.client], send_proxy=version).replace(
        "pool = p\n", f"pool = p\nproxy-protocol = {BALANCER}\n", 1))
    ask = ["curl", "-sS", "--haproxy-protocol", "--interface", BALANCER, "-w", "%{http_code}"]
    assert lab.ns.run(*ask, "http://127.0.0.1/t/c?body=hello&cc=max-age=60") == "hello200"
    assert lab.ns.run(*ask, "http://127.0.0.1/t/c?body=hello&cc=max-age=60") == "hello200"
    assert o.requests[0].header("X-Forwarded-For") == BALANCER and o.hits == 1
    assert lab.ns.run(*ask, "-X", "PURGE", "-o", "/dev/null",
                      "http://127.0.0.1/t/c?body=hello&cc=max-age=60") == "200"
    assert lb.ask("/t/c", "PURGE").status == 403  # 127.0.0.1 may not, though the cache's peer is no other
    assert e.counter("proxy_errors") == lb.counter("proxy_errors") == 0
    assert (e.counter("purges"), e.counter("hits")) == (1, 1)


def test_a_cache_that_requires_proxy_headers_serves_only_balancers(lab):
    e = lab.edged(lab.origin(), proxy_protocol="127.0.0.0/8")
    lb = lab.lbd([e.client], retries=0)
    assert lb.get("/t/x").status == 502
    assert e.counter("proxy_errors") == 1


@pytest.mark.parametrize("check", ["tcp", "http GET /greenpi/health"])
@pytest.mark.parametrize("version", ["no", *VERSIONS])
def test_checks_begin_as_connections_do(lab, version, check):
    e = lab.edged(lab.origin(), proxy_protocol="127.0.0.0/8")
    o = lab.origin(proxy=True)
    conf = lbd_conf([e.client, o], send_proxy=version, check=check, inter="20ms", fall=2,
                      fastinter="20ms", downinter="20ms")
    conf += f"[check own]\nprobe = {check}\naddress = 127.0.0.1:6081\nsend-proxy = {version}\ninter = 20ms\n"
    h = lab.healthd(conf)
    good = version != "no" or check == "tcp"
    want = ["up" if good else "down"] * 3

    def states():
        return [t["state"].lower() for t in h.ask_json("state")["targets"]]
    wait_until(lambda: states() == want, deadline=10)
    seen = e.counter("connections")
    wait_until(lambda: e.counter("connections") > seen + 5, deadline=10)
    assert states() == want
    if version == "no":
        assert (e.counter("proxy_errors") > 5) == (not good)
    else:
        assert e.counter("proxy_errors") == 0
        assert set(o.prefaces) == {UNKNOWN if version == "v1" else LOCAL}
