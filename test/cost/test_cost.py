# SPDX-License-Identifier: MIT
"""What a request and a connection cost, and the daemons that only wait: on the build that ships."""

import contextlib
import os
import resource
import struct

import pytest

from lab import shm
from lab.daemon import Calls, build_dir
from lab.origin import reply
from lab.wait import wait_until

REQUESTS = 300
IDLE_CONNECTIONS = 4000
PAGE = "/t/s?size=1024"


class Allocations:
    """Of a daemon whose environment is .env: .count so far."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "allocs")
        self.env = {"ALLOCS": self.path, "LD_PRELOAD": os.path.join(build_dir(), "count_allocs.so")}

    @property
    def count(self):
        with open(self.path, "rb") as f:
            return struct.unpack("=Q", f.read(8))[0]


def a_balancer(lab, **kw):
    return lab.lbd([lab.origin(reply(200, b"x" * 1024))], cookie="SERVERID insert indirect nocache",
                   extra="[lb]\nworkers = 1\nkeep-alive-timeout = 1m\n", **kw)


def a_cache(lab, **kw):
    return lab.edged(lab.origin(), workers=1, keep_alive_timeout="1m", **kw)


def ask_often(conn, n):
    for _ in range(n):
        assert conn.ask(PAGE).status == 200


# -- a request

@pytest.mark.parametrize("make, calls", [(a_cache, 1), (a_balancer, 2)], ids=["hit", "balanced"])
def test_system_calls_of_a_kept_alive_request(lab, make, calls):
    """A hit is one read and one write, a balanced request two and two; no registration changes."""
    daemon = make(lab)
    with daemon.conn() as c:
        ask_often(c, 2)
        with Calls(daemon) as counts:
            ask_often(c, REQUESTS)
    least, most = calls * REQUESTS, calls * REQUESTS + 2
    assert least <= counts["recvfrom"] <= most
    assert least <= counts.get("sendto", 0) + counts.get("sendmsg", 0) <= most
    assert counts.get("epoll_ctl", 0) == 0


def test_the_access_log_costs_a_worker_no_system_call(lab):
    """The log's own thread writes. It is woken for the first line; later it looks by itself, five times a second."""
    daemon = a_balancer(lab)
    with daemon.conn() as c:
        ask_often(c, 2)
        wait_until(lambda: daemon.output().count("GET /t/s") == 2)
        with Calls(daemon) as counts:
            ask_often(c, REQUESTS)
    # To standard output and, to wake the thread, an eventfd.
    assert counts.get("write", 0) <= REQUESTS / 20
    wait_until(lambda: daemon.output().count("GET /t/s") == REQUESTS + 2)
    assert daemon.counter("log_dropped") == 0


@pytest.mark.parametrize("make", [a_cache, a_balancer], ids=["hit", "balanced"])
def test_a_kept_alive_request_allocates_nothing(lab, make):
    allocations = Allocations(lab.dir)
    daemon = make(lab, env=allocations.env)
    with daemon.conn() as c:
        ask_often(c, 10)
        before = allocations.count
        ask_often(c, 10 * REQUESTS)
        assert allocations.count == before
    daemon.tell("version")
    assert allocations.count > before  # it does count: this reply is built on the heap


# -- a connection

@contextlib.contextmanager
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2 * IDLE_CONNECTIONS, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("make", [a_cache, a_balancer], ids=["edged", "lbd"])
def test_an_idle_connection_costs_less_than_a_kilobyte(lab, make):
    daemon = make(lab)
    with many_files(), contextlib.ExitStack() as open_ones:
        ask_often(open_ones.enter_context(daemon.conn()), 10)
        before = daemon.rss_kb()
        for _ in range(IDLE_CONNECTIONS):
            ask_often(open_ones.enter_context(daemon.conn()), 1)
        wait_until(lambda: daemon.counter("clients") == IDLE_CONNECTIONS + 1, deadline=5)
        cost = (daemon.rss_kb() - before) * 1024 / IDLE_CONNECTIONS
    print(f"{cost:.0f} bytes a connection")
    assert cost < 1024


# -- waiting

def test_the_four_daemons_of_an_idle_board_take_at_most_16_megabytes(cluster_of):
    """PSS, with all libraries: one board alone, so that no other board's daemons bear a part of its pages."""
    cluster = cluster_of("edged", "healthd", "lbd", "vipd")
    board = cluster[1]
    board.start_origin()
    board.start()
    wait_until(lambda: cluster.served() and len(shm.health(board.healthd.path("health.shm"))) == 5, 15)
    wait_until(lambda: all(v["checked_s"] for v in shm.health(board.healthd.path("health.shm")).values()), 5)
    kb = {name: d.pss_kb() for name, d in board.daemons.items()}
    print(f"{kb}, {sum(kb.values())} kB")
    assert sum(kb.values()) <= 16 * 1024
