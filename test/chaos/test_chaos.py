# SPDX-License-Identifier: MIT
"""lbd before edged and before bare origins, while an operator reloads, purges and takes servers away.

The clients and the origins are one program (main.c), which knows of each byte whose it is. Whatever happens, no client
gets another's response, a wrong body as a whole one, another's Set-Cookie; none waits for ever; no sanitizer
complains; and when the last client has gone every gauge is back at zero and SIGTERM ends the daemons cleanly.

CHAOS_SECONDS (30) says for how long, CHAOS_SEED repeats a run's choices, CHAOS_CLIENTS (80) how many at once. With
CHAOS_RESTARTS=1 (make soak) the daemons are restarted and killed as well: that cuts connections, nothing else.
"""

import json
import os
import random
import re
import subprocess
import threading
import time

from lab.daemon import binary
from lab.lab import edged_conf
from lab.wait import wait_until

SECONDS = int(os.environ.get("CHAOS_SECONDS", "30"))
SEED = int(os.environ.get("CHAOS_SEED", str(random.randrange(1 << 30))))
CLIENTS = int(os.environ.get("CHAOS_CLIENTS", "80"))
RESTARTS = os.environ.get("CHAOS_RESTARTS") == "1"

EDGE, WEB, RAW, NAMED, MORE = 6081, 8080, 8082, 8083, 8888
ORIGIN, SECOND, FLAKY, SILENT = 7001, 7002, 7003, 7099


class Chaos:
    """The program with the clients and the origins."""

    def __init__(self, lab):
        self.proc = subprocess.Popen(
            lab.ns.argv("setpriv", "--pdeathsig", "KILL", "--", binary("chaos"), str(SEED), str(SECONDS), str(CLIENTS),
                        f"c:{EDGE},{WEB},{WEB},{RAW},p:{NAMED},{MORE}", f"{ORIGIN},{SECOND},f:{FLAKY}"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = []
        assert self.proc.stdout.readline() == "ready\n"
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        self.summary = None

    def _read(self):
        for line in self.proc.stdout:
            if line.startswith("{"):
                self.summary = json.loads(line)
            else:
                self.lines.append(line.rstrip("\n"))

    def busy(self):
        """Are clients still there, and is all well?"""
        return self.proc.poll() is None and self.summary is None and not self.lines

    def end(self):
        self.proc.stdin.close()
        self.proc.wait(10)
        self.thread.join(10)


def lbd_conf(rng):
    """One of many: the frontends that are always there, and what may differ."""
    def server(pool, name, port, weight=1):
        return f"[server {name}]\npool = {pool}\naddress = 127.0.0.1:{port}\ncookie = {name}\nweight = {weight}\n\n"

    raw = [server("raw", "r1", ORIGIN, rng.choice((1, 5))), server("raw", "r2", SECOND),
           server("raw", "r3", FLAKY), server("raw", "r4", SILENT)]
    edges = [server("edges", "e1", EDGE), server("edges", "e2", FLAKY), server("edges", "e3", SILENT)]
    cookie = rng.choice(("", "cookie = SERVERID insert indirect nocache\n", "cookie = SERVERID insert\n"))
    return "".join([
        f"[lb]\nworkers = 2\naccess-log = no\nmaxconn = {rng.choice((16, 60, 1000))}\n",
        "client-timeout = 1500ms\nrequest-timeout = 1s\nkeep-alive-timeout = 600ms\nserver-idle = 200ms\n",
        f"tunnel-timeout = 1s\nforwarded-for = {rng.choice(('yes', 'yes', 'yes', 'no'))}\n\n",
        f"[frontend web]\nbind = 127.0.0.1:{WEB}{rng.choice(('', f' 127.0.0.1:{MORE}'))}\npool = edges\n\n",
        f"[frontend raw]\nbind = 127.0.0.1:{RAW}\npool = raw\n\n",
        f"[frontend named]\nbind = 127.0.0.1:{NAMED}\npool = raw\nproxy-protocol = 127.0.0.1\n\n",
        *(f"[pool {p}]\nconnect-timeout = 300ms\nserver-timeout = 1200ms\nretries = {rng.choice((0, 1, 3))}\n{cookie}"
          f"send-proxy = {'no' if p == 'edges' else rng.choice(('no', 'v1', 'v2'))}\n\n" for p in ("edges", "raw")),
        *edges[:rng.choice((1, 1, 2, 3))],
        *rng.sample(raw[:3], rng.choice((1, 2, 3))), *rng.choice(([], raw[3:])),
    ])


def edge_conf(rng):
    """One of many; memory and workers are of the start."""
    return edged_conf(("127.0.0.1", ORIGIN), EDGE, workers=2, memory="2M", max_object=rng.choice(("64K", "256K", "1M")),
                      maxconn=rng.choice((16, 60, 1000)), origin_maxconn=rng.choice((24, 100, 200, 200, 200)),
                      default_ttl=rng.choice(("1s", "60s")), grace=rng.choice(("0s", "1s")),
                      keep=rng.choice(("0s", "2s", "24h")), uncacheable=rng.choice(("1s", "60s")),
                      client_timeout="1500ms", request_timeout="1s", keep_alive_timeout="600ms", tunnel_timeout="1s",
                      origin_timeout="1200ms", connect_timeout="300ms", origin_idle="200ms",
                      send_proxy=rng.choice(("no", "no", "v1", "v2")))


class Operator:
    """Does something every now and then that must not cause a wrong response."""

    def __init__(self, rng, lb, edge):
        self.rng, self.lb, self.edge = rng, lb, edge
        self.actions = {}

    def act(self):
        kinds = [self.reload_lb, self.reload_edge, self.server_away, self.purge, self.ask]
        kinds += [self.restart, self.crash] if RESTARTS else []
        kind = self.rng.choice(kinds)
        self.actions[kind.__name__] = self.actions.get(kind.__name__, 0) + 1
        kind()

    def reload_lb(self):
        self.lb.write_conf(lbd_conf(self.rng))
        self.lb.reload()

    def reload_edge(self):
        self.edge.write_conf(edge_conf(self.rng))
        self.edge.reload()

    def server_away(self):
        servers = [f"{s['pool']}/{s['name']}" for s in self.lb.ask_json("servers")]
        for name in servers:
            if self.rng.random() < 0.3:
                self.lb.tell(f"{self.rng.choice(('disable', 'drain'))} server {name}")
        time.sleep(self.rng.random() * 0.15)  # they are away for a while
        for name in servers:
            self.lb.tell(f"enable server {name}")

    def purge(self):
        self.edge.tell("purge " + self.rng.choice(("all", "h0.test/p/", "h1.test/", "h0.test/g/1")))

    def ask(self):
        for d, command in ((self.lb, "state"), (self.lb, "show stat"), (self.lb, "stats"), (self.edge, "stats json"),
                           (self.edge, "state")):
            d.tell(command)

    def restart(self):
        self.rng.choice((self.lb, self.edge)).restart()

    def crash(self):
        self.rng.choice((self.lb, self.edge)).crash()


class Checker(threading.Thread):
    """Asks a daemon all the time to look at all its own structures: it aborts when one of them is broken."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_, self.ending, self.wrong, self.checks, self.still = daemon, threading.Event(), [], 0, 0
        self.start()

    def run(self):
        while not self.ending.wait(0.02):
            try:
                self.look()
            except (OSError, AssertionError):  # it is restarted, or dead: others see that
                continue

    def look(self):
        """Once."""
        reply = self.daemon_.tell("check")
        if RESTARTS and reply == "":  # it ended before it could answer
            return
        found = re.fullmatch(r"checked (\d+)\nstandstill ([01])\n", reply)
        if not found or int(found[1]) < 10:
            self.wrong.append(f"{self.daemon_}: {reply!r}")
        self.checks += 1
        self.still += found is not None and int(found[2])

    def end(self):
        self.ending.set()
        self.join(20)


def settle(lb, edge):
    """Everything is let go: every gauge goes back to zero."""
    for d in (lb, edge):
        wait_until(lambda d=d: d.ask_json("state")["clients"] == 0, 20, f"{d} has no clients any more")
        wait_until(lambda d=d: d.counter("clients") == 0, 5, f"{d} says so in its counters")
    wait_until(lambda: lb.counter("running") == 0, 5, "lbd runs no request any more")
    wait_until(lambda: all(s["current"] == 0 for s in lb.ask_json("servers")), 5, "no server has a request any more")


def test_chaos(lab):
    print(f"CHAOS_SEED={SEED}")
    rng = random.Random(SEED)
    edge = lab.edged(conf=edge_conf(rng), port=EDGE)
    lb = lab.lbd(conf=lbd_conf(rng), port=WEB)
    chaos = Chaos(lab)
    operator = Operator(rng, lb, edge)
    checkers = [Checker(lb), Checker(edge)]
    try:
        while chaos.busy() and lb.running() and edge.running():
            operator.act()
            time.sleep(rng.random() * 0.8)  # the operator's pace
        assert lb.running() and edge.running() and chaos.lines == []
        settle(lb, edge)
        for c in checkers:
            c.end()
            c.look()
            assert c.wrong == [] and c.still > 5
        assert chaos.lines == []
        print(*(f"{d.name}: {d.counters()}" for d in (lb, edge)), sep="\n")
    finally:
        for c in checkers:
            c.end()
        chaos.end()
        print(*(f"{c.daemon_.name}: {c.checks} checks, {c.still} of all at a standstill" for c in checkers), sep="\n")
        print(f"CHAOS_SEED={SEED} {operator.actions} {chaos.summary}", *chaos.lines[:20], sep="\n")
    assert chaos.proc.returncode == 0
    assert chaos.summary["good"] > 20 * SECONDS, "hardly anything was answered"
