# SPDX-License-Identifier: MIT
"""Programs that run inside a namespace and never outlive the lab.

Every program is started by the same chain, which keeps one pid from end to end: nsenter joins the
namespace, setpriv asks the kernel to kill the program when the lab dies, python (if sockets are
passed) says so as systemd would, and the program takes over. Its output goes to a file, which is
searched for the reports of sanitizers and broken invariants when it ends.
"""

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading

from .netns import LabError
from .wait import wait_until

REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:"
                    r"|invariant broken|==\d+==ABORTING")
SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:abort_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=0:second_deadlock_stack=1",
}


class Notify:
    """The other end of NOTIFY_SOCKET: what systemd would hear, and its store of descriptors."""

    def __init__(self, path, fds=()):
        """`fds`: (name, fd) pairs that the store has already, from the life before."""
        self.path = path
        self.ready = threading.Event()
        self.lines = []
        self.fds = [(n, os.dup(fd)) for n, fd in fds]  # and what FDSTORE=1 adds
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(path)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._sock, 65536, 253)
            except OSError:
                return
            if not data and not fds:
                return
            self._heard(data.decode(errors="replace").splitlines(), fds)

    def _heard(self, lines, fds):
        said = dict(line.split("=", 1) for line in lines if "=" in line)
        name = said.get("FDNAME", "stored")
        if "FDSTORE" in said:
            self.fds += [(name, fd) for fd in fds]
        else:
            close_all(fds)
        if "FDSTOREREMOVE" in said:
            close_all([fd for n, fd in self.fds if n == name])
            self.fds = [(n, fd) for n, fd in self.fds if n != name]
        self.lines += lines
        if said.get("READY") == "1":
            self.ready.set()

    def state(self, key):
        """The last value said for KEY=, or None."""
        for line in reversed(self.lines):
            if line.startswith(key + "="):
                return line.split("=", 1)[1]
        return None

    def close(self):
        """Stop listening and drop the stored descriptors."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.path)
        self._thread.join(timeout=5)
        self._sock.close()
        close_all([fd for _, fd in self.fds])
        self.fds = []
        if os.path.exists(self.path):
            os.unlink(self.path)


def close_all(fds):
    """Close these descriptors."""
    for fd in fds:
        os.close(fd)


class Proc:
    """One running program. `argv` is executed in `ns`; its output is appended to the file `log`."""

    def __init__(self, ns, argv, log, env=None, fds=(), out=None):
        """`fds` are (name, fd) pairs that it gets as systemd passes sockets: LISTEN_FDS etc.
        `out`: a (stdout, stderr) pair of descriptors that its output goes to instead of the log.
        """
        self.name = os.path.basename(argv[0])
        self.log = log
        self.expected_to_crash = False
        env = {**os.environ, **SANITIZER_ENV, **(env or {})}
        # Well above the numbers 3, 4, ... under which the program is to find them.
        fds = [(n, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 300)) for n, fd in fds]
        try:
            with open(log, "ab") as file:
                stdout, stderr = out or (file, file)
                self._popen = subprocess.Popen(
                    ns.argv(*_chain(argv, fds)), stdin=subprocess.DEVNULL, stdout=stdout,
                    stderr=stderr, env=env, pass_fds=[fd for _, fd in fds], start_new_session=True)
        finally:
            close_all([fd for _, fd in fds])
        self.pid = self._popen.pid

    def alive(self):
        """Is it still running?"""
        return self._popen.poll() is None

    def signal(self, number):
        """Send it a signal; no harm when it has ended already."""
        if self.alive():
            self._popen.send_signal(number)

    def kill(self):
        """SIGKILL, and wait until it is gone: what a crash or a power cut leaves behind."""
        self.signal(signal.SIGKILL)
        self._popen.wait(timeout=10)

    def stop(self, timeout=15):
        """SIGTERM, and return the exit status; one that does not obey is killed and reported."""
        self.signal(signal.SIGTERM)
        try:
            return self._popen.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(f"{self.name} did not end within {timeout} s of SIGTERM") from None

    def wait(self, timeout=15):
        """Wait until it ends by itself and return its status."""
        return self._popen.wait(timeout=timeout)

    def output(self):
        """All it has printed up to now."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def report(self):
        """The first report of a sanitizer or a broken invariant in its output, or None."""
        return find_report(self.output())


# Run as `python -c`, since a shell keeps the numbers from 10 up for itself and does not pass them on.
_PASS = """
import os, signal, sys
names, fds, argv = sys.argv[1], [int(fd) for fd in sys.argv[2].split(",")], sys.argv[3:]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names)
for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which this interpreter ignores
    signal.signal(number, signal.SIG_DFL)
os.execvp(argv[0], argv)
"""


def _chain(argv, fds):
    chain = ["setpriv", "--pdeathsig", "KILL", "--"]
    if fds:
        names = ":".join(name for name, _ in fds)
        chain += [sys.executable, "-I", "-S", "-c", _PASS, names, ",".join(str(fd) for _, fd in fds)]
    return chain + list(argv)


def find_report(text):
    """The lines around the first sanitizer report in text, or None."""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if REPORT.search(line):
            return "\n".join(lines[max(0, i - 2):i + 30])
    return None


def wait_ready(proc, notify, deadline=20.0):
    """Wait for READY=1; fail at once, with the program's own words, when it ends instead."""
    def ready_or_dead():
        return notify.ready.is_set() or not proc.alive()
    wait_until(ready_or_dead, deadline, f"{proc.name} says READY=1; its output: {proc.log}")
    if not notify.ready.is_set():
        raise LabError(f"{proc.name} ended with status {proc.wait()} before it was ready:\n"
                       + proc.output()[-4000:])
