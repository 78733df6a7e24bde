# SPDX-License-Identifier: MIT
"""A bench for one daemon: a namespace with loopback, origins, and daemons with a configuration of
the test's own. Fixed ports everywhere: no other process is in the namespace.

    a, b = lab.origin(close_after_accept), lab.origin(reply(200, body=b"b"))
    lb = lab.lbd(pool=[a, b], retries=1)
    assert lb.get("/").body == b"b" and lb.counter("retries") == 1
"""

import os
import re
import shutil
import tempfile

from .client import Client
from .daemon import Daemon
from .netns import LabError, Netns
from .origin import Origin, site


def scratch(name):
    """A private folder with a short path (Unix sockets allow 107 bytes), marked with our pid."""
    sweep()
    return tempfile.mkdtemp(prefix=f"greenpi-lab-{os.getpid()}-{name[:12]}-")


def sweep():
    """Remove the folders of labs that were killed before they could."""
    top = tempfile.gettempdir()
    for entry in os.listdir(top):
        owner = re.match(r"greenpi-lab-(\d+)-", entry)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            shutil.rmtree(os.path.join(top, entry), ignore_errors=True)


class Served(Daemon):
    """A daemon that speaks HTTP, with a client that points at it."""

    client = None

    def get(self, target="/", **kw):
        return self.client.get(target, **kw)

    def ask(self, target="/", method="GET", **kw):
        return self.client.ask(target, method, **kw)

    def say(self, data):
        return self.client.say(data)

    def conn(self, timeout=None):
        return self.client.conn(timeout)

    def browser(self):
        return self.client.browser()

    def parallel(self, n, target="/", **kw):
        return self.client.parallel(n, target, **kw)


class Bench:
    """What both benches do: keep a folder and daemons, and at the end look for what went wrong."""

    def __init__(self, name):
        self.dir = scratch(name)
        self.daemons = []
        self.origins = []
        self._undo = []

    def problems(self):
        """What must not have happened: reports of sanitizers, daemons that ended by themselves."""
        found = []
        for d in self.daemons:
            if d.proc and not d.proc.alive():
                found.append(f"{d} ended by itself with status {d.proc.wait()}:\n"
                             + d.output()[-3000:])
        return found

    def reports(self):
        """Sanitizers' reports of all daemons, now that they have ended."""
        return [f"{d}:\n{r}" for d in self.daemons for r in d.reports]

    def end_daemons(self):
        """End every daemon, last started first; returns what refused to end well."""
        found = []
        for d in reversed(self.daemons):
            try:
                d.stop()
            except (AssertionError, LabError) as e:
                found.append(str(e))
        return found

    def keep(self, to):
        """Copy configurations and logs to that folder, for a person to look at."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.dir, to, ignore=_only_files)

    def close(self):
        """End everything, without questions."""
        for d in reversed(self.daemons):
            d.kill()
        for o in self.origins:
            o.close()
        for undo in reversed(self._undo):
            undo()
        self._undo = []
        shutil.rmtree(self.dir, ignore_errors=True)


def _only_files(folder, names):
    full = ((n, os.path.join(folder, n)) for n in names)
    return [n for n, p in full if not os.path.isdir(p) and not os.path.isfile(p)]


class Lab(Bench):
    """One namespace. The address 127.0.0.1 is up; add_address() makes more."""

    def __init__(self, name="lab"):
        super().__init__(name)
        self.ns = Netns(name)
        self._undo.append(self.ns.close)
        self.ns.must_be_isolated()
        self._ports = iter(range(7001, 7999))

    def add_address(self, address):
        """Another local address, such as a board's; returns it."""
        self.ns.ip(f"addr add {address}/32 dev lo")
        return address

    def origin(self, behaviour=site, port=None, host="127.0.0.1", name=None, proxy=False):
        """An origin with that behaviour on a port of its own; see origin.py for behaviours."""
        port = port or next(self._ports)
        o = Origin(self.ns, (host, port), behaviour, name or f"origin-{port}", proxy)
        self.origins.append(o)
        return o

    def client(self, address, **kw):
        """A client of (host, port)."""
        return Client(self.ns, address, **kw)

    def daemon(self, name, conf_text, start=True, kind=Daemon, env=None, wait=True):
        """Any daemon with that configuration; each name has its own run directory once, `run`."""
        stem = os.path.join(self.dir, name)
        run_dir = os.path.join(self.dir, "run")
        d = kind(name, self.ns, stem + ".conf", run_dir, stem + ".log", env)
        d.write_conf(conf_text)
        self.daemons.append(d)
        return d.start(wait) if start else d

    def lbd(self, pool=(), conf=None, extra="", port=80, start=True, env=None, **pool_keys):
        """lbd in front of these origins (or addresses) as the servers s1, s2, ...

        Keywords are keys of [pool p]; `extra` is more configuration; `conf` replaces all of it.
        The cookies of the servers are c1, c2, ...
        """
        text = conf if conf is not None else lbd_conf(pool, port, extra, **pool_keys)
        return self._served("lbd", text, port, start, env)

    def edged(self, origin=None, conf=None, extra="", port=6081, start=True, env=None, **keys):
        """edged in front of that origin; keywords are keys of [edge]."""
        text = conf if conf is not None else edged_conf(origin, port, extra, **keys)
        return self._served("edged", text, port, start, env)

    def healthd(self, conf):
        """healthd with that configuration."""
        return self.daemon("healthd", conf)

    def _served(self, name, text, port, start, env):
        d = self.daemon(name, text, start=False, kind=Served, env=env)
        d.client = Client(self.ns, ("127.0.0.1", port))
        return d.start() if start else d


def _keys(keys):
    return "".join(f"{k.replace('_', '-')} = {v}\n" for k, v in keys.items())


def _at(server):
    host, port = server.address if hasattr(server, "address") else server
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def lbd_conf(servers, port=80, extra="", **pool_keys):
    """A configuration of one frontend and one pool."""
    text = f"[frontend web]\nbind = 127.0.0.1:{port}\npool = p\n\n[pool p]\n{_keys(pool_keys)}\n"
    for i, s in enumerate(servers, 1):
        text += f"[server s{i}]\npool = p\naddress = {_at(s)}\ncookie = c{i}\n\n"
    return text + extra


def edged_conf(origin, port=6081, extra="", **keys):
    """A configuration of one edge."""
    keys = {"memory": "16M", **keys}
    return f"[edge]\nlisten = 127.0.0.1:{port}\norigin = {_at(origin)}\n{_keys(keys)}\n{extra}"
