# SPDX-License-Identifier: MIT
"""GreenPi's programs, started as systemd would start them and asked as an operator would ask.

The programs are those in the folder GREENPI_BUILD (default build/address-undefined of the source
tree, what `make SAN=address,undefined` makes).
"""

import json
import os
import signal
import socket
import subprocess

from . import shm, wire
from .netns import LabError
from .proc import Notify, Proc, find_report, wait_ready
from .wait import wait_until

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def build_dir():
    """Where the programs under test are."""
    default = os.path.join(REPO, "build", "address-undefined")
    return os.path.abspath(os.environ.get("GREENPI_BUILD") or default)


def binary(name):
    """The path of a program; LabError with what to do when it is not there."""
    path = os.path.join(build_dir(), name)
    if not os.access(path, os.X_OK):
        raise LabError(f"no program {path}: `make SAN=address,undefined`, or set GREENPI_BUILD")
    return path


class Daemon:
    """One of GreenPi's daemons in a namespace, with a configuration file and a run directory.

    start() returns when it has said READY=1. What it prints in all its lives is appended to `log`.
    """

    def __init__(self, name, ns, conf, run_dir, log, env=None):
        self.name, self.ns, self.conf, self.run_dir, self.log = name, ns, conf, run_dir, log
        self.env = env or {}
        self.descriptors = None  # its limit, soft and hard; None: ours
        self.out = None  # a (stdout, stderr) pair of descriptors instead of the log
        self.proc = None
        self.notify = None
        self.reports = []  # of sanitizers, collected as its lives end
        self._seen = 0

    def __repr__(self):
        return f"<{self.name} in {self.ns.name}>"

    # -- life

    def start(self, wait=True, deadline=20.0, fds=()):
        """Start it (again). `fds`: what it finds in its descriptor store, as (name, fd)."""
        assert not self.running(), f"{self} runs already"
        os.makedirs(self.run_dir, exist_ok=True)
        path = os.path.join(self.run_dir, self.name + ".notify")
        if os.path.exists(path):
            os.unlink(path)
        self.notify = Notify(path, fds)
        argv = [binary(self.name), "-c", self.conf, "-r", self.run_dir]
        if self.descriptors:
            argv = ["prlimit", f"--nofile={self.descriptors}", "--", *argv]
        self.proc = Proc(self.ns, argv, self.log, {**self.env, "NOTIFY_SOCKET": path}, fds,
                         self.out)
        if wait:
            self.wait_ready(deadline)
        return self

    def wait_ready(self, deadline=20.0):
        """Wait for READY=1 of a start(wait=False)."""
        wait_ready(self.proc, self.notify, deadline)

    def running(self):
        return self.proc is not None and self.proc.alive()

    @property
    def pid(self):
        return self.proc.pid

    def stop(self, timeout=30):
        """SIGTERM; the exit status must be 0."""
        if self.proc:
            status = self.proc.stop(timeout)
            self._ended()
            assert status == 0, f"{self} ended with status {status}; see {self.log}"

    def kill(self):
        """SIGKILL: no word of goodbye."""
        if self.proc:
            self.proc.kill()
            self._ended()

    def restart(self):
        """SIGTERM, then start with the descriptors it had stored, as `systemctl restart` does."""
        return self._again(lambda: self.stop())

    def crash(self):
        """SIGKILL, then start with the descriptors it had stored, as Restart=always does."""
        return self._again(lambda: self.kill())

    def _again(self, end):
        kept = [(n, os.dup(fd)) for n, fd in self.notify.fds]
        try:
            end()
            return self.start(fds=kept)
        finally:
            for _, fd in kept:
                os.close(fd)

    def _ended(self):
        text = self.proc.output()
        report = find_report(text[self._seen:])
        self._seen = len(text)
        if report:
            self.reports.append(report)
        self.proc = None
        self.notify.close()

    def freeze(self):
        """SIGSTOP: it hangs, its sockets stay."""
        self.proc.signal(signal.SIGSTOP)

    def thaw(self):
        self.proc.signal(signal.SIGCONT)

    def reload(self):
        """SIGHUP; returns at once."""
        self.proc.signal(signal.SIGHUP)

    def write_conf(self, text):
        """Put another text into its configuration file, whole at every moment."""
        with open(self.conf + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(self.conf + ".new", self.conf)

    def output(self):
        """All it has printed over its lives."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def logged(self, *parts, deadline=5.0):
        """Wait until all of these are in what it printed, which is returned: it logs without waiting itself."""
        wait_until(lambda: all(p in self.output() for p in parts), deadline,
                   f"{self} logs {parts}; see {self.log}")
        return self.output()

    # -- questions

    def path(self, name):
        return os.path.join(self.run_dir, name)

    def ask(self, command):
        """One command on the control socket, and the reply without its closing empty line."""
        with self._connect() as s:
            s.sendall(command.encode() + b"\n")
            return _reply(wire.Stream(s))

    def ask_json(self, command):
        """The reply to `COMMAND json`, decoded."""
        return json.loads(self.tell(command + " json"))

    def tell(self, command):
        """ask(), also of daemons that speak HTTP, whose ask() is a request."""
        return Daemon.ask(self, command)

    def watch(self):
        """An open `watch` connection, that hears whatever is caused from now on."""
        s = self._connect()
        s.sendall(b"watch\n")
        self.tell("version")  # comes later, so once it is answered the daemon has read our line
        return Watch(s)

    def _connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        try:
            s.connect(self.path(self.name + ".sock"))
        except OSError:
            s.close()
            raise
        return s

    def counters(self):
        """All counters, from its shared-memory table (also after its death)."""
        return shm.stats(self.path(self.name + ".shm"))

    def counter(self, name):
        """One counter; AssertionError that lists the names when there is none of that name."""
        all_ = self.counters()
        assert name in all_, f"{self.name} has no counter {name}; it has {' '.join(sorted(all_))}"
        return all_[name]

    def objects(self, kind):
        """The counters of all objects of a kind: {name: {counter: value}}."""
        return shm.objects(self.path(self.name + ".shm"), kind)

    def rss_kb(self):
        """Its resident memory."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmRSS")).split()[1])

    def pss_kb(self):
        """Its share of memory: pages of its own, and of each shared page its part among those that map it."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("Pss:")).split()[1])


class Calls:
    """System calls of a daemon while a `with` block runs, counted by strace: {"recvfrom": 200, ...}."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.counts = {}

    def __enter__(self):
        self.trace = subprocess.Popen(["strace", "-f", "-c", "-p", str(self.daemon.pid)],
                                      stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.trace.stderr.readline()  # "Process N attached": from here on all is seen
        return self.counts

    def __exit__(self, *exc):
        self.trace.send_signal(signal.SIGINT)
        _, table = self.trace.communicate(timeout=20)
        for line in table.splitlines():
            words = line.split()
            if len(words) >= 5 and words[3].isdigit():
                self.counts[words[-1]] = int(words[3])


class Watch:
    """The events of a daemon, as they come."""

    def __init__(self, sock):
        self.sock = sock
        self.stream = wire.Stream(sock)

    def line(self):
        """The next event."""
        line = self.stream.until(b"\n")
        assert line is not None, "the daemon ended the watch"
        return line.decode().rstrip("\n")

    def until(self, part):
        """Events up to the first that contains part, which is returned."""
        while True:
            line = self.line()
            if part in line:
                return line

    def close(self):
        self.sock.close()


def _reply(stream):
    reply = b""
    while True:
        line = stream.until(b"\n")
        if line is None or line == b"\n":
            return reply.decode()
        reply += line


def once(name, *args, ns=None, timeout=20):
    """Run a program to its end (`-t`, `-T`, greenpictl ...): a CompletedProcess with text."""
    argv = [binary(name), *args]
    if ns:
        argv = ns.argv(*argv)
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
