# SPDX-License-Identifier: MIT
"""The cluster of conf/greenpi.conf: four boards and a client on a switch, as namespaces.

    GreenPi-1..4   eth0 192.168.1.171 .. .174, an origin on 127.0.0.1:6080, the four daemons
    client         eth0 192.168.1.10
    switch         a bridge br0 with a port for each; alone in its namespace

No namespace has a default route or a way to the host: the cluster refuses to exist otherwise.
"""

import os
import select
import shutil
import signal
import socket
import struct
import sys
import time

from .client import Client
from .daemon import REPO, Daemon
from .lab import Bench
from .netns import Netns, cable, require_root
from .origin import RemoteOrigin
from .proc import Notify, Proc, wait_ready
from .wait import wait_until

VIP = "192.168.1.170"
CLIENT = "192.168.1.10"
CONF = os.path.join(REPO, "conf", "greenpi.conf")
ORIGIN = os.path.join(REPO, "test", "lab", "origin.py")
DAEMONS = ("edged", "healthd", "lbd", "vipd")  # in the order of their start


class Switch:
    """A bridge in a namespace of its own; its ports are the boards' cables."""

    def __init__(self):
        self.ns = Netns("switch")
        self.ns.ip("link add br0 type bridge", "link set br0 up")
        self.ports = {}

    def plug_in(self, ns, number, address):
        """Connect ns by its eth0, which gets the address/24 and goes up."""
        port = f"p{number}"
        cable(self.ns, port, ns, "eth0")
        self.ns.ip(f"link set {port} master br0 up")
        ns.ip(f"addr add {address}/24 dev eth0", "link set eth0 up")
        self.ports[ns.name] = port

    def cut(self, ns):
        """Pull the cable: both ends see the carrier go."""
        self.ns.ip(f"link set {self.ports[ns.name]} down")

    def blackhole(self, ns):
        """Frames are lost, though the carrier stays."""
        self.ns.ip(f"link set {self.ports[ns.name]} nomaster")

    def mend(self, ns):
        """Put the cable back, whatever was done to it."""
        self.ns.ip(f"link set {self.ports[ns.name]} master br0 up")


class Board:
    """One of the four: a namespace, an origin process and the daemons, with a run directory."""

    def __init__(self, number, cluster):
        self.number, self.cluster = number, cluster
        self.name = f"GreenPi-{number}"
        self.address = f"192.168.1.{170 + number}"
        self.cookie = f"app1inst{number}"
        self.ns = Netns(self.name)
        self.dir = os.path.join(cluster.dir, f"b{number}")
        self.run_dir = os.path.join(self.dir, "run")
        os.makedirs(self.run_dir)
        self.conf = os.path.join(self.dir, "greenpi.conf")
        shutil.copyfile(CONF, self.conf)
        self.origin_proc = None
        self.origin = RemoteOrigin(os.path.join(self.dir, "origin.sock"))
        self.daemons = {}

    def __repr__(self):
        return f"<{self.name}>"

    def start_origin(self):
        """Start the web server, if it does not run."""
        if self.origin_proc and self.origin_proc.alive():
            return
        for leftover in (self.origin.path, os.path.join(self.dir, "origin.notify")):
            if os.path.exists(leftover):
                os.unlink(leftover)
        notify = Notify(os.path.join(self.dir, "origin.notify"))
        argv = [sys.executable, ORIGIN, "--name", self.name, "--control", self.origin.path]
        log = os.path.join(self.dir, "origin.log")
        self.origin_proc = Proc(self.ns, argv, log, {"NOTIFY_SOCKET": notify.path})
        try:
            wait_ready(self.origin_proc, notify)
        finally:
            notify.close()

    def start(self, *names, wait=True):
        """Start these daemons (all when none is named) that do not run."""
        for name in names or self.cluster.names:
            d = self.daemons.get(name)
            if d is None:
                d = self.daemons[name] = Daemon(name, self.ns, self.conf, self.run_dir,
                                                os.path.join(self.dir, name + ".log"))
                self.cluster.daemons.append(d)
            if not d.running():
                d.start(wait)

    def __getattr__(self, name):
        """board.lbd, board.vipd, board.edged, board.healthd"""
        try:
            return self.__dict__["daemons"][name]
        except KeyError:
            raise AttributeError(f"{self.__dict__.get('name', 'board')} has no {name}") from None

    def power_cut(self):
        """The cable goes dark and every process is gone in the same moment."""
        self.cluster.switch.cut(self.ns)
        running = [d for d in self.daemons.values() if d.running()]
        for d in running:
            d.proc.signal(signal.SIGKILL)
        if self.origin_proc:
            self.origin_proc.kill()
        for d in running:
            d.kill()

    def power_on(self):
        """Boot: what was in memory is gone, the cable is in, everything starts."""
        if self.holds_vip():
            self.ns.ip(f"addr flush dev eth0 to {VIP}/32")
        shutil.rmtree(self.run_dir)
        os.makedirs(self.run_dir)
        self.cluster.switch.mend(self.ns)
        self.start_origin()
        self.start()

    def powered(self):
        """Is its web server running (the sign that its power is on)?"""
        return self.origin_proc is not None and self.origin_proc.alive()

    def holds_vip(self):
        """Is the VIP one of its addresses, whether or not it can be reached?"""
        return self.ns.owns(VIP)

    def client(self):
        """A client on the board itself, of its own edged."""
        return Client(self.ns, (self.address, 6081))


class Cluster(Bench):
    """All of it. names: which daemons a start starts (all four)."""

    def __init__(self, names=DAEMONS):
        require_root()
        super().__init__("cluster")
        self.names = names
        try:
            self.switch = Switch()
            self._undo.append(self.switch.ns.close)
            self.boards = [self._board(i) for i in range(1, 5)]
            self.client_ns = Netns("client")
            self._undo.append(self.client_ns.close)
            self.switch.plug_in(self.client_ns, 0, CLIENT)
            self.must_be_isolated()
        except BaseException:
            self.close()
            raise

    def _board(self, number):
        board = Board(number, self)
        self._undo.append(board.ns.close)
        self.switch.plug_in(board.ns, number, board.address)
        return board

    def __iter__(self):
        return iter(self.boards)

    def __getitem__(self, number):
        """cluster[1] .. cluster[4]"""
        return self.boards[number - 1]

    def must_be_isolated(self):
        """LabError unless no namespace of the cluster can reach anything outside it."""
        for ns in [self.switch.ns, self.client_ns] + [b.ns for b in self.boards]:
            ns.must_be_isolated()

    def start(self, deadline=30.0):
        """Origins and daemons on every board; returns when the VIP answers HTTP."""
        for board in self.boards:
            board.start_origin()
        for board in self.boards:
            board.start(wait=False)
        for board in self.boards:
            for d in board.daemons.values():
                d.wait_ready(deadline)
        if "vipd" in self.names:
            self.wait_holder(deadline)
        if "lbd" in self.names:
            wait_until(self.served, deadline, f"http://{VIP}/ answers 200")
        return self

    # -- the address

    def holders(self):
        """The boards that have the VIP on eth0, reachable or not."""
        return [b for b in self.boards if b.holds_vip()]

    def holder(self):
        """The one board that holds the VIP, or None when none or several do."""
        holders = self.holders()
        return holders[0] if len(holders) == 1 else None

    def wait_holder(self, deadline=15.0, other_than=None):
        """Wait until one powered board (another than that one) holds the VIP, and return it."""
        def one():
            now = [b for b in self.holders() if b is not other_than and b.powered()]
            return now[0] if len(now) == 1 else None
        return wait_until(one, deadline, "one board holds the VIP")

    def arp_owners(self, address=VIP, wait=0.3):
        """The MACs that answer the client's ARP request for that address within `wait` s."""
        return arp_owners(self.client_ns, CLIENT, address, wait)

    def mac(self, board):
        """The MAC address of a board's eth0."""
        return board.ns.ip_json("link", "show", "dev", "eth0")[0]["address"]

    # -- the service

    def web(self, port=80, **kw):
        """A client of the shared address."""
        return Client(self.client_ns, (VIP, port), **kw)

    def served(self):
        """Does the shared address answer the demo page?"""
        try:
            return self.web(timeout=2).get("/").status == 200
        except (OSError, ValueError, AssertionError):
            return False

    def client_run(self, *command, timeout=60):
        """A program on the client (ab, wrk); returns what it printed."""
        return self.client_ns.run(*command, timeout=timeout)

    def hits(self):
        """Requests that all powered origins have had."""
        return sum(b.origin.hits for b in self.boards if b.powered())

    def close(self):
        """End everything."""
        for board in getattr(self, "boards", []):
            if board.origin_proc:
                board.origin_proc.kill()
        super().close()


def arp_owners(ns, source, address, wait=0.3):
    """Broadcast one ARP request from ns and collect the distinct MACs that claim the address."""
    link = ns.ip_json("link", "show", "dev", "eth0")[0]
    mac = bytes.fromhex(link["address"].replace(":", ""))
    me, target = socket.inet_aton(source), socket.inet_aton(address)
    frame = b"\xff" * 6 + mac + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
    frame += mac + me + b"\0" * 6 + target
    found = set()
    with ns.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
        s.bind(("eth0", 0x0806))
        s.send(frame)
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            if not select.select([s], [], [], left)[0]:
                break
            got = s.recv(2048)
            if got[20:22] == b"\0\2" and got[28:32] == target:
                found.add(":".join(f"{b:02x}" for b in got[22:28]))
    return found
