# SPDX-License-Identifier: MIT
"""How many clients lbd and edged serve at once: one limit over all workers, and what a reload of it does."""

import contextlib
import resource
import select
import threading

import pytest

from lab.lab import edged_conf, lbd_conf
from lab.origin import reply, when
from lab.wait import wait_until


def lbd_limits(lab, maxconn, workers):
    (o,) = lab.origins or [lab.origin(reply(200, b"x"))]
    return lbd_conf([o], extra=f"[lb]\nworkers = {workers}\nmaxconn = {maxconn}\n")


def edged_limits(lab, maxconn, workers):
    (o,) = lab.origins or [lab.origin(reply(200, b"x", {"Cache-Control": "max-age=60"}))]
    return edged_conf(o, maxconn=maxconn, workers=workers)


class Proxy:
    """One of the two daemons, with clients that stay connected."""

    def __init__(self, stack, lab, name, maxconn, workers, descriptors=None):
        self.limits = lambda m: {"lbd": lbd_limits, "edged": edged_limits}[name](lab, m, workers)
        self.daemon = getattr(lab, name)(conf=self.limits(maxconn), start=False)
        self.daemon.descriptors = descriptors
        self.daemon.start()
        self.stack = stack
        self.served, self.waiting = [], []
        self.came = 0

    def come(self, n, target="/x"):
        """n more clients that have asked and got no answer yet."""
        for _ in range(n):
            c = self.stack.enter_context(self.daemon.conn())
            c.send(f"GET {target.format(self.came)} HTTP/1.1\r\nHost: greenpi.test\r\n\r\n")
            self.came += 1
            self.waiting.append(c)

    def answered(self, n):
        """Exactly n of the waiting clients get a response."""
        for _ in range(n):
            c = self.ready(10)
            assert c, f"{len(self.waiting)} clients wait, {len(self.served)} are served"
            assert c.read().status == 200
            self.waiting.remove(c)
            self.served.append(c)
        assert self.ready(0.2) is None
        assert self.daemon.ask_json("state")["clients"] == len(self.served)

    def ready(self, seconds):
        socks = {c.sock: c for c in self.waiting}
        poll = select.poll()
        for s in socks:
            poll.register(s, select.POLLIN)
        fds = [fd for fd, _ in poll.poll(seconds * 1000)]
        return next((c for s, c in socks.items() if s.fileno() in fds), None)

    def ready_now(self, c):
        return bool(select.select([c.sock], [], [], 0)[0])

    def leave(self, n):
        """n of the served ones close."""
        for _ in range(n):
            self.served.pop(0).close()

    def reload(self, maxconn):
        self.daemon.write_conf(self.limits(maxconn))
        assert "done" in self.daemon.tell("reload")
        wait_until(lambda: self.maxconn() == maxconn, deadline=5)

    def maxconn(self):
        """What it goes by."""
        return self.daemon.ask_json("state")["maxconn"]


@pytest.fixture(name="proxy")
def proxy_(lab):
    with contextlib.ExitStack() as stack:
        yield lambda *args, **kw: Proxy(stack, lab, *args, **kw)


both = pytest.mark.parametrize("name", ["lbd", "edged"])


@both
@pytest.mark.parametrize("workers, maxconn", [(1, 1), (2, 8), (4, 64), (4, 400)])
def test_maxconn_is_exact_over_all_workers(proxy, name, workers, maxconn):
    p = proxy(name, maxconn, workers)
    p.come(maxconn)
    p.answered(maxconn)
    p.come(3 * workers)
    p.answered(0)
    for _ in range(3 * workers):  # wherever they wait, one that leaves lets one in
        p.leave(1)
        p.answered(1)
    p.leave(maxconn)
    p.answered(0)
    assert p.daemon.counter("shed") == 0


@both
def test_a_raised_maxconn_lets_in_waiting_clients(proxy, name):
    p = proxy(name, 4, 3)
    p.come(20)
    p.answered(4)
    p.reload(10)
    p.answered(6)
    p.reload(1000)
    p.answered(10)


@both
def test_a_lowered_maxconn_ends_no_client_and_lets_in_none(proxy, name):
    p = proxy(name, 300, 2)
    p.come(200)
    p.answered(200)
    p.reload(3)
    for c in p.served:  # all at once: each holds a buffer
        c.send("GET /x HTTP/1.1\r\nHo")
    for c in p.served:
        c.send("st: greenpi.test\r\n\r\n")
    assert [c.read().status for c in p.served] == [200] * 200
    p.come(4)
    p.leave(197)
    p.answered(0)
    p.leave(1)
    p.answered(1)
    p.leave(3)
    p.answered(3)
    assert p.daemon.counter("shed") == 0


@both
def test_reloads_at_a_full_house(proxy, name):
    p = proxy(name, 6, 2)
    p.come(12)
    p.answered(6)
    for maxconn in (2, 6, 1, 9, 3, 6):
        p.reload(maxconn)
    p.answered(3)  # let in by the 9
    p.leave(9)
    p.answered(3)


@both
def test_clients_that_give_up_waiting_hold_no_place(proxy, name):
    p = proxy(name, 2, 2)
    p.come(2)
    p.answered(2)
    p.come(40)
    for c in p.waiting[:20]:
        c.reset()
    del p.waiting[:20]
    for _ in range(20):
        p.leave(1)
        p.answered(1)


# -- descriptors

def lowered(p, times=1):
    """So many lines say it."""
    wait_until(lambda: p.daemon.output().count("descriptors allow") >= times, deadline=5)
    return [line for line in p.daemon.output().splitlines() if "descriptors allow" in line]


@both
@pytest.mark.parametrize("workers", [1, 2])
def test_few_descriptors_serve_fewer_clients_and_serve_them_well(lab, proxy, name, workers):
    gate = threading.Event()
    o = lab.origin(when(gate, reply(200, b"x", {"Cache-Control": "no-store"})))
    p = proxy(name, 4096, workers, descriptors=64)
    most = p.maxconn()
    assert 8 <= most <= 24
    assert len(lowered(p)) == 1 and f"{most} clients at once instead of maxconn = 4096" in lowered(p)[0]
    p.come(40, "/page{}")
    wait_until(lambda: len(o.requests) == most, deadline=20)  # each client has a connection to the origin
    watches = [p.daemon.watch() for _ in range(2)]
    assert p.daemon.ask_json("state")["clients"] == most
    gate.set()
    p.answered(most)
    for _ in range(40 - most):
        p.leave(1)
        p.answered(1)
    for w in watches:
        w.close()
    assert "open files" not in p.daemon.output() and len(lowered(p)) == 1


@both
def test_a_reload_looks_at_the_descriptors_again(proxy, name):
    p = proxy(name, 500, 1, descriptors=5000)
    for limit in (64, 5000, 100, 5000):
        resource.prlimit(p.daemon.pid, resource.RLIMIT_NOFILE, (limit, 5000))
        assert "done" in p.daemon.tell("reload")
        wait_until(lambda now=limit: (p.maxconn() == 500) == (now == 5000), deadline=5)
    assert len(lowered(p, 2)) == 2
    p.come(400)
    p.answered(400)


@pytest.mark.parametrize("workers", [1, 3])
def test_idle_connections_to_servers_leave_room(lab, proxy, workers):
    p = proxy("lbd", 4096, workers, descriptors=80)
    gate = threading.Event()
    servers = [lab.origin(when(gate, reply(200, b"x"))) for _ in range(4)]
    p.daemon.write_conf(lbd_conf(servers, extra=f"[lb]\nworkers = {workers}\nserver-idle = 1h\n"))
    assert "done" in p.daemon.tell("reload")
    most = p.maxconn()
    for turn, o in enumerate(servers * 2):  # all clients at one server, then all at the next
        gate.clear()
        for i in range(len(servers)):
            p.daemon.tell(f"{'enable' if servers[i] is o else 'disable'} server p/s{i + 1}")
        p.come(most)
        wait_until(lambda o=o, n=turn // 4 + 1: len(o.requests) == n * most, deadline=10)
        gate.set()
        p.answered(most)
        p.leave(most)
        p.answered(0)
    assert p.daemon.counter("connect_errors") == 0
    assert "open files" not in p.daemon.output()


@both
@pytest.mark.parametrize("workers", [1, 2])
def test_pipes_leave_room(lab, proxy, name, workers):
    lab.origin()
    p = proxy(name, 4096, workers, descriptors=64)
    most = p.maxconn()
    p.come(most, "/t/x?size=5000000&cc=no-store")  # and do not read
    wait_until(lambda: p.daemon.ask_json("state")["clients"] == most, deadline=10)
    wait_until(lambda: all(p.ready_now(c) for c in p.waiting), deadline=10)
    watches = [p.daemon.watch() for _ in range(3)]
    for c in p.waiting:
        answer = c.read()
        assert answer.status == 200 and len(answer.body) == 5000000
    for w in watches:
        w.close()
    assert "open files" not in p.daemon.output()


def test_origin_maxconn_is_one_limit_over_all_workers(lab):
    gate = threading.Event()
    o = lab.origin(when(gate, reply(200, b"x", {"Cache-Control": "no-store"})))
    e = lab.edged(o, workers=4, origin_maxconn=20)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(e.conn()) for _ in range(20)]
        for i, c in enumerate(clients):
            c.send(f"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: len(o.requests) == 20, deadline=10)
        assert e.get("/more").status == 503
        gate.set()
        assert [c.read().status for c in clients] == [200] * 20
    assert e.get("/more").status == 200
