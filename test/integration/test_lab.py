# SPDX-License-Identifier: MIT
"""The workbench itself, proved without any daemon of ours: what it promises the other tests."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from lab import netns
from lab.client import Client, Load
from lab.cluster import CLIENT, VIP, Cluster
from lab.lab import Lab, sweep
from lab.netns import LabError, Netns
from lab.origin import close_after_accept, in_turn, raw, reply, reset_after_accept, when
from lab.proc import Notify, Proc, find_report, wait_ready
from lab.relay import Relay
from lab.wait import wait_until
from lab.wire import WireError


@pytest.fixture
def bare():
    """The four boards with their cables, and nothing running on them."""
    with_nothing = Cluster(names=())
    yield with_nothing
    with_nothing.close()


# -- isolation

def test_a_namespace_sees_nothing_of_the_host(lab):
    assert [l["ifname"] for l in lab.ns.ip_json("link", "show")] == ["lo"]
    assert lab.ns.ip_json("route", "show", "default") == []
    with pytest.raises(OSError), lab.ns.socket() as s:
        s.settimeout(2)
        s.connect(("192.0.2.1", 80))


def test_the_thread_is_home_again_after_a_visit(lab):
    home = os.readlink("/proc/thread-self/ns/net")
    with lab.ns:
        assert os.readlink("/proc/thread-self/ns/net") != home
        with pytest.raises(RuntimeError), lab.ns:
            raise RuntimeError
    assert os.readlink("/proc/thread-self/ns/net") == home


def test_a_way_out_is_refused(lab):
    lab.ns.must_be_isolated()
    lab.ns.ip("link add d0 type bridge", "addr add 10.9.9.1/24 dev d0",
              "link set d0 up", "route add default via 10.9.9.2")
    with pytest.raises(LabError, match="route out"):
        lab.ns.must_be_isolated()


def test_the_hosts_own_namespace_is_refused():
    ns = Netns("host")
    try:
        os.dup2(netns._host, ns.fd)
        with pytest.raises(LabError, match="host's own namespace"):
            ns.must_be_isolated()
    finally:
        ns.close()


def test_without_root_it_says_so(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="sudo"):
        Netns("x")


# -- cables

def test_boards_reach_each_other_and_only_each_other(bare):
    origin = bare[2].ns
    listener = origin.socket()
    listener.bind((bare[2].address, 80))
    listener.listen()
    with Client(bare.client_ns, (bare[2].address, 80)).conn() as c:
        peer = listener.accept()[1]
        assert peer[0] == CLIENT and c.sock.getpeername()[0] == "192.168.1.172"
    listener.close()
    bare.must_be_isolated()


def test_a_cut_cable_is_seen_and_mends(bare):
    board = bare[1]
    assert board.ns.carrier() and board.ns.owns(board.address)
    bare.switch.cut(board.ns)
    wait_until(lambda: not board.ns.carrier(), 2)
    assert bare.arp_owners(board.address) == set()
    bare.switch.mend(board.ns)
    wait_until(board.ns.carrier, 2)
    assert bare.arp_owners(board.address) == {bare.mac(board)}


def test_a_blackhole_keeps_the_carrier(bare):
    board = bare[3]
    bare.switch.blackhole(board.ns)
    assert bare.arp_owners(board.address) == set() and board.ns.carrier()
    bare.switch.mend(board.ns)
    assert bare.arp_owners(board.address) == {bare.mac(board)}


def test_arp_tells_one_owner_from_two(bare):
    assert bare.arp_owners() == set() and bare.holder() is None
    bare[1].ns.ip(f"addr add {VIP}/24 dev eth0")
    assert bare.arp_owners() == {bare.mac(bare[1])} and bare.holder() is bare[1]
    bare[4].ns.ip(f"addr add {VIP}/24 dev eth0")
    assert bare.arp_owners() == {bare.mac(bare[1]), bare.mac(bare[4])} and bare.holder() is None


def test_a_power_cut_ends_the_origin_and_power_brings_it_back(bare):
    board = bare[2]
    board.start_origin()
    assert Client(board.ns, ("127.0.0.1", 6080)).get("/t/x").header("X-Origin") == "GreenPi-2"
    assert board.origin.count("/t/x") == 1
    board.ns.ip(f"addr add {VIP}/24 dev eth0")
    board.power_cut()
    assert not board.powered() and not board.ns.carrier() and board.holds_vip()
    board.power_on()
    assert board.powered() and not board.holds_vip() and board.ns.owns(board.address)
    assert Client(board.ns, ("127.0.0.1", 6080)).get("/t/x").header("X-Count") == "1"


# -- origins and clients

def test_the_origin_does_what_the_query_says(lab):
    c = lab.client(lab.origin().address)
    r = c.get("/t/a?status=203&cc=max-age%3D60&etag=%22v%22&vary=Accept&size=5000"
              "&cookie=a%3Db&hdr=X-A:1&hdr=X-B:2")
    assert (r.status, len(r.body), r.header("Cache-Control")) == (203, 5000, "max-age=60")
    assert r.cookies() == {"a": "b"} and r.header("X-A") == "1" and r.header("X-B") == "2"
    assert c.get("/t/a?etag=%22v%22", headers={"If-None-Match": '"v"'}).status == 304
    assert c.get("/t/a?chunked=1&size=3000").header("Transfer-Encoding") == "chunked"
    assert len(c.get("/t/a?chunked=1&size=3000").body) == 3000
    assert len(c.get("/t/a?until_close=1&size=3000").body) == 3000
    head = c.ask("/t/a?size=10", "HEAD")
    assert head.body == b"" and head.header("Content-Length") == "10"


def test_the_demo_site_hangs_together(lab):
    c = lab.client(lab.origin().address)
    for path in ("/", "/boards.html", "/pictures.html", "/style.css", "/logo.svg", "/img/6.png"):
        r = c.get(path)
        assert r.status == 200 and r.complete and r.header("ETag")
        for link in re.findall(rb'(?:href|src)="([^"]+)"', r.body):
            assert c.get(link.decode()).status == 200, link
    assert c.get("/nothing").status == 404


def test_behaviours_that_are_not_nice(lab):
    assert lab.client(lab.origin(reply(404, b"no")).address).get().body == b"no"
    with pytest.raises((WireError, OSError)):
        lab.client(lab.origin(close_after_accept).address).get()
    with pytest.raises((WireError, OSError)):
        lab.client(lab.origin(reset_after_accept).address).get()
    broken = lab.origin(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
    half = lab.client(broken.address).get()
    assert not half.complete and half.body == b"half"
    c = lab.client(lab.origin(in_turn(reply(500), reply(200))).address)
    assert [c.get().status for _ in range(3)] == [500, 200, 200]


def test_an_origin_remembers_every_byte(lab):
    o = lab.origin()
    with lab.client(o.address).conn() as c:
        assert c.ask("/t/one").header("X-Count") == "1" and c.ask("/t/one").header("X-Count") == "2"
        c.send(b"BOGUS\0LINE")
        wait_until(lambda: o.saw(b"BOGUS\0LINE"))
    assert not o.saw(b"never sent") and o.counts["/t/one"] == 2 and o.accepted == 1


def test_parallel_requests_are_in_flight_together(lab):
    gate = threading.Event()
    o = lab.origin(when(gate, reply(200, b"x")))
    answers = []
    t = threading.Thread(target=lambda: answers.extend(lab.client(o.address).parallel(20)))
    t.start()
    wait_until(lambda: o.hits == 20)
    assert answers == []
    gate.set()
    t.join(10)
    assert [r.body for r in answers] == [b"x"] * 20


def test_load_counts_failures_and_forgives_a_closed_idle_connection(lab):
    o = lab.origin()
    load = Load(lab.client(o.address), ["/t/l"])
    wait_until(lambda: load.done > 50)
    assert load.stop().failures == []
    o.behaviour = reply(503)
    load = Load(lab.client(o.address), ["/t/l"])
    wait_until(lambda: load.done > 5)
    assert len(load.stop().failures) == load.done
    lab.origins.remove(o)
    o.close()
    load = Load(lab.client(o.address), ["/t/l"])
    wait_until(lambda: load.failures)
    assert "refused" in load.stop().failures[0]


# -- programs

READY = """
import os, signal, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"READY=1\\nSTATUS=pid %d" % os.getpid(), os.environ["NOTIFY_SOCKET"])
signal.pause()
"""


def start(lab, notify, *argv, fds=()):
    return Proc(lab.ns, argv, os.path.join(lab.dir, "log"), {"NOTIFY_SOCKET": notify.path}, fds)


def test_a_program_keeps_its_pid_and_speaks_through_notify(lab):
    n = Notify(os.path.join(lab.dir, "n"))
    p = start(lab, n, sys.executable, "-c", READY)
    wait_ready(p, n)
    assert n.state("STATUS") == f"pid {p.pid}"
    assert os.readlink(f"/proc/{p.pid}/ns/net") != os.readlink("/proc/self/ns/net")
    assert p.stop() == -signal.SIGTERM and not p.alive()
    n.close()


def test_a_program_that_ends_early_is_told_with_its_words(lab):
    n = Notify(os.path.join(lab.dir, "n"))
    p = start(lab, n, "sh", "-c", "echo no configuration >&2; exit 3")
    with pytest.raises(LabError, match="status 3(.|\n)*no configuration"):
        wait_ready(p, n)
    n.close()


def test_stored_descriptors_come_back_as_systemd_gives_them(lab):
    n = Notify(os.path.join(lab.dir, "n"))
    path = os.path.join(lab.dir, "f")
    with open(path, "w+b") as f, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        f.write(b"kept")
        f.flush()
        s.connect(n.path)
        for name in range(20):  # a shell would keep those from 10 up for itself
            socket.send_fds(s, [b"FDSTORE=1\nFDNAME=%d" % name], [f.fileno()])
    wait_until(lambda: len(n.fds) == 20)
    show = 'import os, sys; print(os.environ["LISTEN_FDS"], os.environ["LISTEN_FDNAMES"], ' \
           'os.environ["LISTEN_PID"] == str(os.getpid()), ' \
           '[i for i in range(3, 30) if os.path.exists(f"/proc/self/fd/{i}") ' \
           'and os.path.samefile(f"/proc/self/fd/{i}", sys.argv[1])])'
    p = start(lab, n, sys.executable, "-c", show, path, fds=n.fds)
    names = ":".join(str(i) for i in range(20))
    assert p.wait() == 0 and p.output() == f"20 {names} True {list(range(3, 23))}\n"
    n.close()


def test_reports_of_sanitizers_are_found():
    assert "heap-use" in find_report("x\n==12==ERROR: AddressSanitizer: heap-use-after-free\n")
    assert find_report("a.c:3:4: runtime error: signed integer overflow")
    assert find_report("<2>lb/pool.c:12: f: invariant broken: x")
    assert find_report("<5>lbd: configuration 2 is active\n") is None


# -- the door

def test_the_relay_leads_into_the_lab_and_nowhere_else(lab):
    o = lab.origin()
    relay = Relay(0, lab.ns, o.address)
    try:
        with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as s:
            s.sendall(b"GET /t/relay?size=300000 HTTP/1.0\r\n\r\n")
            got = b""
            while part := s.recv(65536):
                got += part
        assert got.startswith(b"HTTP/1.1 200") and len(got) > 300000
        with pytest.raises(OSError):
            socket.create_connection(o.address, timeout=2)
    finally:
        relay.close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", relay.port), timeout=2)


# -- nothing stays

KILLED = """
import sys; sys.path.insert(0, {path!r})
from lab.cluster import Cluster
c = Cluster(names=())
c[1].start_origin()
print(c[1].origin_proc.pid, c.dir, c.switch.ns.path, flush=True)
sys.stdin.read()
"""


def test_a_killed_lab_leaves_nothing():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    lab_ = subprocess.Popen([sys.executable, "-c", KILLED.format(path=path)], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pid, folder, switch = lab_.stdout.readline().split()
    assert os.path.exists(f"/proc/{pid}") and os.path.exists(folder) and os.path.exists(switch)
    lab_.kill()
    lab_.wait(timeout=10)
    lab_.stdin.close()
    lab_.stdout.close()
    wait_until(lambda: gone(pid), 5, "the origin dies with its lab")
    assert not os.path.exists(switch)
    sweep()
    assert not os.path.exists(folder)


def gone(pid):
    """No such process, or one that only waits for its parent to look."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_two_labs_do_not_meet():
    one, two = Lab("one"), Lab("two")
    try:
        a, b = one.origin(reply(200, b"one"), port=80), two.origin(reply(200, b"two"), port=80)
        assert one.client(a.address).get().body == b"one"
        assert two.client(b.address).get().body == b"two"
    finally:
        one.close()
        two.close()


def test_a_wait_in_vain_says_what_for():
    start = time.monotonic()
    with pytest.raises(AssertionError, match="rain"):
        wait_until(lambda: False, 0.2, "rain")
    assert 0.2 <= time.monotonic() - start < 2
