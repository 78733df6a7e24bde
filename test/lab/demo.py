# SPDX-License-Identifier: MIT
"""The cluster for a person to look at: `sudo make demo`.

Starts the four boards with conf/greenpi.conf unchanged, relays this machine's 127.0.0.1:8080 to the
shared address and 127.0.0.1:8081 to its statistics page, and shows what happens. Keys cut a board's
power or kill a daemon, so that one can watch the others take over. Ctrl-C takes all of it away.

With DEMO_SECONDS in the environment it visits the site by itself, cuts the power of the board that
holds the address half way through, ends by itself and tells by its exit status how it went.
"""

import os
import select
import signal
import socket
import sys
import termios
import threading
import time
import tty
from contextlib import ExitStack, contextmanager

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import demosite, shm  # noqa: E402  (run as a program)
from lab.client import Client  # noqa: E402
from lab.cluster import VIP, Cluster  # noqa: E402
from lab.netns import LabError  # noqa: E402
from lab.relay import Relay  # noqa: E402
from lab.wire import WireError  # noqa: E402

WEB, STATS = 8080, 8081
COUNTERS = (("lbd.shm", "requests"), ("edged.shm", "hits"), ("edged.shm", "misses"))
TICK = 1.0
HELP = """\
Open  http://127.0.0.1:{web}/  and  http://127.0.0.1:{stats}/haproxy?stats  (admin, password).
Keys: 1-4 cut a board's power or bring it back, l kill the balancer of the board that holds the
      address, e kill the caches of all but one board, r bring back all that was killed, q end."""


class View:
    """What the status shows, read from the daemons' tables; rates are since the last look."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.last = {}
        self.when = time.monotonic()
        self.first = True
        self.hits, self.misses = 0, 0  # seen in all

    def look(self):
        """One look: (requests a second, share of hits or None, board lines, holder names)."""
        now = time.monotonic()
        passed, self.when = now - self.when, now
        requests, hits, misses = (self._grown(*what) for what in COUNTERS)
        self.hits, self.misses = self.hits + hits, self.misses + misses
        holders = [b.name for b in self.cluster.holders() if b.powered()]
        verdicts = self._verdicts()
        lines = [self._board_line(b, verdicts, b.name in holders) for b in self.cluster]
        share = hits / (hits + misses) if hits + misses else None
        first, self.first = self.first, False  # nothing to compare with yet
        return 0.0 if first else requests / passed, share, lines, holders

    def _grown(self, table, counter):
        """By how much a counter of all boards grew since the last look; a restart begins at 0."""
        grown = 0
        for board in self.cluster:
            value = _table(board, table).get(counter, 0)
            before = self.last.get((board, counter), 0)
            grown += value - before if value >= before else value
            self.last[board, counter] = value
        return grown

    def _verdicts(self):
        """The servers as the first board with power sees them."""
        for board in self.cluster:
            if board.powered():
                try:
                    return shm.health(os.path.join(board.run_dir, "health.shm"))
                except (OSError, AssertionError):
                    continue
        return {}

    @staticmethod
    def _board_line(board, verdicts, holds):
        if not board.powered():
            state = "no power"
        else:
            dead = [n for n, d in board.daemons.items() if not d.running()]
            state = "running" if not dead else "without " + ", ".join(dead)
        verdict = verdicts.get(f"edges/web{board.number}", {"state": "?", "reason": ""})
        seen = verdict["state"] + (f" ({verdict['reason']})" if verdict["state"] == "down" else "")
        mark = f"<- holds {VIP}" if holds else ""
        return f"{board.name}  {board.address}  {state:<22} cache {seen:<34} {mark}".rstrip()


def _table(board, name):
    try:
        return shm.stats(os.path.join(board.run_dir, name))
    except (OSError, AssertionError):
        return {}


class Visitor(threading.Thread):
    """A little load of its own: every page of the site, a few dozen requests a second."""

    PAUSE = 0.02

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.client = cluster.web(timeout=2)
        self.ended = threading.Event()
        self.good, self.failed = 0, []
        self.origins = set()

    def run(self):
        targets = list(demosite.PAGES)
        n = 0
        while not self.ended.wait(self.PAUSE):
            self.visit(targets[n // 4 % len(targets)])
            n += 1

    def visit(self, target):
        try:
            response = self.client.get(target)
            if response.status != 200 or not response.complete:
                raise WireError(f"{target}: {response.start}")
            self.good += 1
            self.origins.add(response.header("X-Origin"))
        except (OSError, WireError, AssertionError, ValueError) as e:
            self.failed.append((time.monotonic(), f"{type(e).__name__}: {e}"))


class Keys:
    """Single key presses, when a person is there."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.said = ""

    def wait(self, seconds):
        """Wait that long or for a key; False when it was the one that ends all."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not sys.stdin.isatty():
                time.sleep(left)
            elif select.select([sys.stdin], [], [], left)[0]:
                return self.press(os.read(sys.stdin.fileno(), 1).decode("latin-1"))
        return True

    def press(self, key):
        """Do what the key stands for."""
        cluster, holder = self.cluster, self.cluster.holder()
        if key in "1234":
            self._power(cluster[int(key)])
        elif key == "l" and holder and holder.daemons["lbd"].running():
            holder.lbd.kill()
            self.said = f"killed lbd on {holder.name}"
        elif key == "e":
            for board in [b for b in cluster if b.powered() and b.daemons["edged"].running()][1:]:
                board.edged.kill()
            self.said = "killed edged on all but one board"
        elif key == "r":
            for board in cluster:
                if board.powered():
                    board.start()
            self.said = "all daemons of boards with power run again"
        return key not in "q\x04"

    def _power(self, board):
        if board.powered():
            board.power_cut()
            self.said = f"cut the power of {board.name}"
        else:
            board.power_on()
            self.said = f"{board.name} has power again"


@contextmanager
def single_keys():
    """The terminal gives each key at once while this lasts (when it is one)."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def show(view, said, redraw):
    """Print the status: in place on a terminal, else one line a look."""
    rate, share, lines, holders = view.look()
    hits = "  -  " if share is None else f"{share:5.1%}"
    head = f"{VIP} on {', '.join(holders) or 'no board'}   {rate:7.1f} requests/s   hits {hits}"
    if redraw:
        text = "\n".join([head, *lines, f"> {said}"])
        print("\x1b[J" + text + f"\x1b[{text.count(chr(10))}A\r", end="", flush=True)
    else:
        print("\n".join([head, *("    " + line for line in lines)]), flush=True)


def interactive(cluster):
    """Until a person has seen enough."""
    view, keys = View(cluster), Keys(cluster)
    print(HELP.format(web=WEB, stats=STATS) + "\n", flush=True)
    with single_keys():
        more = True
        while more:
            show(view, keys.said, redraw=sys.stdout.isatty())
            more = keys.wait(TICK)
    if sys.stdout.isatty():
        print("\x1b[J", end="")


def timed(cluster, seconds):
    """Visit for that long with a power cut in the middle; 0 when the cluster did its work."""
    view, visitor = View(cluster), Visitor(cluster)
    start = time.monotonic()
    cut_at, cut, moved = start + seconds / 2, None, None
    visitor.start()
    while time.monotonic() < start + seconds:
        show(view, "", redraw=False)
        if cut is None and time.monotonic() >= cut_at and seconds >= 10:
            master = cluster.wait_holder()
            cut = time.monotonic()
            master.power_cut()
            new = cluster.wait_holder(other_than=master)
            moved = time.monotonic() - cut
            print(f"cut the power of {master.name}: {VIP} is on {new.name} after {moved:.2f} s")
        time.sleep(max(0.0, min(TICK, start + seconds - time.monotonic())))
    visitor.ended.set()
    visitor.join(timeout=10)
    view.look()
    return summary(cluster, view, visitor, cut, moved)


def summary(cluster, view, visitor, cut, moved):
    """Say what was seen; the exit status."""
    grace = 5.0  # for requests that were on their way when the power went
    since = float("inf") if cut is None else cut
    blamed = [text for when, text in visitor.failed if not since <= when <= since + grace]
    door = through_the_door()
    print(f"\nvisits       {visitor.good} answered, {len(visitor.failed)} lost, "
          f"{len(blamed)} of them without a reason")
    print(f"caches       {view.hits} hits, {view.misses} misses")
    print(f"written by   {', '.join(sorted(o for o in visitor.origins if o))}")
    if moved is not None:
        print(f"power cut    the address was on another board after {moved:.2f} s")
    print(f"127.0.0.1    {WEB}: {door[0]}   {STATS}: {door[1]}")
    for text in blamed[:5]:
        print(f"lost         {text}")
    problems = cluster.problems()
    for text in problems:
        print(f"problem      {text}")
    good = (visitor.good > 0 and view.hits > 0 and not blamed and not problems
            and door[0] == 200 and door[1] in (200, 401))
    print("the demo " + ("succeeded" if good else "FAILED"), flush=True)
    return 0 if good else 1


class Here:
    """This machine's own namespace, of which only 127.0.0.1 is asked."""

    socket = staticmethod(socket.socket)


def through_the_door():
    """The statuses that a browser on this machine gets from the two relayed ports."""
    return [_status(Client(Here, ("127.0.0.1", port), timeout=5), target)
            for port, target in ((WEB, "/"), (STATS, "/haproxy?stats"))]


def _status(client, target):
    try:
        return client.get(target).status
    except (OSError, WireError, ValueError) as e:
        return f"{type(e).__name__}: {e}"


def main():
    """Set up, show, take away."""
    seconds = os.environ.get("DEMO_SECONDS", "")
    if seconds and not seconds.isdigit():
        print(f"DEMO_SECONDS={seconds}: a whole number of seconds is wanted", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            print("starting four boards ...", flush=True)
            cluster = Cluster()
            stack.callback(cluster.close)
            for port, inside in ((WEB, 80), (STATS, 81)):
                stack.callback(Relay(port, cluster.client_ns, (VIP, inside)).close)
            cluster.start()
            if seconds:
                return timed(cluster, int(seconds))
            interactive(cluster)
    except KeyboardInterrupt:
        print("\x1b[J" if sys.stdout.isatty() else "", end="")
    except (LabError, AssertionError, OSError) as e:
        print(f"demo: {e}", file=sys.stderr)
        return 1
    print("the boards are gone", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
