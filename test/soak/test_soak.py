# SPDX-License-Identifier: MIT
"""lbd before edged before an origin of bad manners, asked by clients of worse ones, while an operator reloads,
restarts and kills. Whatever happens, nobody is given another's answer or a wrong body as a whole one, no
sanitizer complains, and in the end every gauge is back at zero.

SOAK_SECONDS (60) says for how long, SOAK_SEED repeats a run's choices.
"""

import collections
import os
import random
import re
import threading
import time

from lab import wire
from lab.lab import edged_conf, lbd_conf
from lab.origin import format_head, http_date
from lab.wait import wait_until

SECONDS = int(os.environ.get("SOAK_SECONDS", "60"))
SEED = int(os.environ.get("SOAK_SEED", str(random.randrange(1 << 30))))
CLIENTS = 12
SIZES = (0, 1, 100, 1024, 5000, 16384, 70000, 300000)
CACHE = ("max-age=1", "max-age=0", "no-cache", "no-store", "max-age=60", "private", "max-age=1, must-revalidate")


def body_of(path):
    """What the address promises: its own name, over and over."""
    size = int(re.search(r"size=(\d+)", path)[1])
    unit = path.encode() + b"|"
    return (unit * (size // len(unit) + 1))[:size]


def address(rng):
    size = rng.choice(SIZES)
    how = rng.choice(("length", "length", "chunked", "close"))
    return f"/{rng.randrange(40)}?size={size}&how={how}&cc={rng.choice(CACHE).replace(' ', '')}&etag={rng.randrange(2)}"


class BadOrigin:
    """Answers by the address, and now and then not, or not all of it."""

    def __init__(self, rng):
        self.rng = rng
        self.calm = False

    def __call__(self, call):
        request = call.request
        path = request.target
        whim = 1.0 if self.calm else self.rng.random()
        if request.method == "POST":
            call.answer(200, b"posted %d" % len(request.body))
            return
        if "size=" not in path:
            call.answer(404)
            return
        if whim < 0.01:
            call.keep = False
            return
        if whim < 0.03:
            time.sleep(self.rng.random() * 0.3)
        if whim < 0.04:
            call.answer(503, b"not now")
            return
        headers = [("Cache-Control", re.search(r"cc=([^&]*)", path)[1]), ("Date", http_date(time.time()))]
        if "etag=1" in path:
            headers.append(("ETag", '"e"'))
            if request.header("If-None-Match") == '"e"':
                call.answer(304, b"", headers)
                return
        self.send_body(call, path, headers, broken=0.04 < whim < 0.06)

    def send_body(self, call, path, headers, broken):
        body = body_of(path)
        sent = body[:self.rng.randrange(len(body))] if broken and body else body
        broken = len(sent) < len(body)
        if broken or "how=close" in path:
            call.keep = False
        if "how=chunked" in path:
            head = headers + [("Transfer-Encoding", "chunked")]
            payload = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in
                               (sent[i:i + 7000] for i in range(0, len(sent), 7000)))
            payload += b"" if broken else b"0\r\n\r\n"
        else:
            head = headers + [("Content-Length", str(len(body)))]
            payload = sent
        if call.request.method == "HEAD":
            payload = b""
        data = format_head(200, head) + payload
        if self.rng.random() < 0.1:
            cut = self.rng.randrange(len(data) + 1)
            call.send(data[:cut])
            time.sleep(0.01)
            data = data[cut:]
        call.send(data)


class Visitor(threading.Thread):
    """One client after another, none of them patient."""

    def __init__(self, client, seed, stop):
        super().__init__(daemon=True)
        self.client, self.rng, self.stop_event = client, random.Random(seed), stop
        self.wrong, self.good, self.refused = [], 0, 0
        self.broken = collections.Counter()  # by what it looked like
        self.hung = []
        self.doing = ""

    def run(self):
        while not self.stop_event.is_set():
            try:
                with self.client.conn(timeout=15) as conn:
                    self.visit(conn)
            except TimeoutError:
                self.hung.append(self.doing)
            except (OSError, wire.WireError, ValueError) as e:
                self.broken[str(e)[:60]] += 1

    def visit(self, conn):
        for _ in range(self.rng.randrange(1, 12)):
            action = self.rng.choice((self.get, self.get, self.get, self.get, self.head, self.conditional, self.post,
                                      self.pipeline, self.leave_early, self.drip, self.nonsense, self.half_close))
            path = address(self.rng)
            self.doing = f"{action.__name__} {path} at {conn.address[1]}"
            if action(conn, path) == "over":
                return

    def judge(self, path, response, whole=None):
        if response.status == 200:
            want = body_of(path) if whole is None else whole
            if response.complete and response.body != want:
                self.wrong.append(f"{path}: {response!r}: {response.body[:80]!r}")
            elif not want.startswith(response.body):
                self.wrong.append(f"{path}: part of something else: {response.body[:80]!r}")
            self.good += response.complete
        elif response.status in (408, 502, 503, 504):
            self.refused += 1
        else:
            self.wrong.append(f"{path}: {response!r}")
        ends = "close" in (response.header("Connection") or "") or not response.complete
        return "over" if ends else None

    def get(self, conn, path):
        return self.judge(path, conn.ask(path))

    def head(self, conn, path):
        return self.judge(path, conn.ask(path, "HEAD"), whole=b"")

    def conditional(self, conn, path):
        response = conn.ask(path, headers={"If-None-Match": '"e"'})
        if response.status == 304:
            if "etag=1" not in path:
                self.wrong.append(f"{path}: 304 without a validator")
            self.good += 1
            return "over" if "close" in (response.header("Connection") or "") else None
        return self.judge(path, response)

    def post(self, conn, path):
        n = self.rng.choice((0, 5, 3000, 200000))
        return self.judge(path, conn.ask("/post", "POST", body=b"p" * n), whole=b"posted %d" % n)

    def pipeline(self, conn, path):
        paths = [path, address(self.rng), address(self.rng)]
        conn.send("".join(f"GET {p} HTTP/1.1\r\nHost: a\r\n\r\n" for p in paths))
        for p in paths:
            if self.judge(p, conn.read()) == "over":
                return "over"
        return None

    def leave_early(self, conn, path):
        conn.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
        if self.rng.random() < 0.5:
            conn.stream.more()
        if self.rng.random() < 0.5:
            conn.reset()
        return "over"

    def drip(self, conn, path):
        for piece in (f"GET {path} HT", "TP/1.1\r\nHos", "t: a\r\n", "\r\n"):
            conn.send(piece)
            time.sleep(0.005)
        return self.judge(path, conn.read())

    def nonsense(self, conn, _path):
        bad = self.rng.choice(("GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "\x16\x03\x01",
                               "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"))
        response = conn.say(bad)
        if response.status != 400:
            self.wrong.append(f"{bad!r}: {response!r}")
        return "over"

    def half_close(self, conn, path):
        conn.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
        conn.half_close()
        self.judge(path, conn.read())
        return "over"


def operate(lb, edge, rng, until, origin, confs):
    """Something every now and then that must not be felt as a wrong answer."""
    def restart_edge():
        edge.restart()

    def crash_edge():
        edge.crash()

    def restart_lb():
        lb.restart()

    def reload_lb():
        lb.write_conf(rng.choice(confs))
        lb.reload()

    def reload_edge():
        edge.write_conf(edged_conf(origin, workers=2, default_ttl=rng.choice(("1s", "60s")), memory="2M",
                                   max_object="256K"))
        edge.reload()

    def server_away():
        lb.tell("disable server p/s1")
        time.sleep(0.1)
        lb.tell("enable server p/s1")

    deeds = {}
    while time.monotonic() < until:
        deed = rng.choice((restart_edge, crash_edge, restart_lb, reload_lb, reload_lb, reload_edge, server_away))
        deed()
        deeds[deed.__name__] = deeds.get(deed.__name__, 0) + 1
        time.sleep(rng.random())
    return deeds


def test_soak(lab):
    print(f"SOAK_SEED={SEED}")
    rng = random.Random(SEED)
    bad = BadOrigin(random.Random(SEED + 1))
    origin = lab.origin(bad)
    edge = lab.edged(origin, workers=2, memory="2M", max_object="256K")
    servers = [("127.0.0.1", 6081), origin]
    extra = "[lb]\nworkers = 2\naccess-log = no\n"
    confs = [lbd_conf(servers, extra=extra), lbd_conf(servers[:1], extra=extra),
             lbd_conf(servers, extra=extra).replace("bind = 127.0.0.1:80", "bind = 127.0.0.1:80 127.0.0.1:8888"),
             lbd_conf(servers, extra=extra, cookie="SERVERID insert indirect")]
    lb = lab.lbd(conf=confs[0])
    stop = threading.Event()
    visitors = [Visitor(lab.client(("127.0.0.1", 80 if i % 4 else 6081)), SEED + 10 + i, stop) for i in range(CLIENTS)]
    for v in visitors:
        v.start()
    deeds = operate(lb, edge, rng, time.monotonic() + SECONDS, origin, confs)
    time.sleep(1)
    stop.set()
    for v in visitors:
        v.join(30)
        assert not v.is_alive(), "a client waits for ever"
    good, wrong = sum(v.good for v in visitors), [w for v in visitors for w in v.wrong]
    print(f"{good} good answers, {sum(v.refused for v in visitors)} refused, {deeds}; broken off: "
          f"{dict(sum((v.broken for v in visitors), collections.Counter()))}")
    assert wrong == []
    assert [h for v in visitors for h in v.hung] == []
    assert good > 100 * SECONDS / 10
    settle(lb, edge)
    bad.calm = True
    lb.write_conf(confs[0])
    assert "done" in lb.tell("reload")
    for _ in range(20):  # and all works as on the first day
        path = address(rng)
        with lb.conn() as conn:
            assert conn.ask(path).body == body_of(path)


def settle(lb, edge):
    """Every gauge goes back to zero."""
    for daemon in (lb, edge):
        wait_until(lambda d=daemon: d.counter("clients") == 0, 20, f"{daemon} has no clients any more")
    wait_until(lambda: lb.counter("running") == 0, 5, "lbd runs no request any more")
    wait_until(lambda: all(s["current"] == 0 for s in lb.ask_json("servers")), 5, "no server has a request any more")
