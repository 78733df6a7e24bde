# SPDX-License-Identifier: MIT
"""What tests of vipd need beside the cluster: a leash to hold, adverts to read and to forge, a client
that notices every gap, and keepalived as the other router.
"""

import errno
import os
import select
import signal
import socket
import struct
import threading
import time

from . import shm
from .cluster import VIP
from .proc import Proc
from .wait import wait_until

GROUP = "224.0.0.18"
GROUP_MAC = b"\x01\x00\x5e\x00\x00\x12"
PROTO = 112


class Leash:
    """Stands in for lbd as vipd sees it: a control socket that stays open, and a beating table."""

    def __init__(self, run_dir, name="lbd"):
        self.path = os.path.join(run_dir, name + ".sock")
        self.table = os.path.join(run_dir, name + ".shm")
        self._listener = None
        self._peers = []
        self._beating = threading.Event()
        self._beater = None

    def live(self):
        """Start (again)."""
        if os.path.exists(self.path):
            os.unlink(self.path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def _accept(self, listener):
        while True:
            try:
                self._peers.append(listener.accept()[0])
            except OSError:
                return

    def say(self, line):
        """An event, to all that watch."""
        for peer in self._peers:
            peer.sendall(line.encode() + b"\n")

    def held(self):
        """Is it tracked?"""
        return bool(self._peers)

    def die(self):
        """The kernel closes everything, as after a SIGKILL."""
        self.stop_beating()
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            os.unlink(self.path)
        for peer in self._peers:
            peer.close()
        self._listener, self._peers = None, []

    def beat(self):
        """Make the table of counters and renew its heartbeat until stop_beating()."""
        with open(self.table + ".new", "wb") as f:
            # One kind with one object, no counters: the directory, the kind, a name, a line of cells.
            f.write(shm.HEADER.pack(shm.STATS_MAGIC, shm.STATS_LAYOUT, 448, os.getpid(), 1, _boottime_us(),
                                    0, 0, 0, 0))
            f.write(shm.DIRECTORY.pack(1, 0, 1, 128, 256, *[0] * 11))
            f.write(shm.KIND.pack(b"process", b"", 0, 0, 1, 8, 256, 384, 1, 1, 0))
            f.write(bytes(shm.NAME_SIZE + 64))
        os.rename(self.table + ".new", self.table)
        self._beating.set()
        self._beater = threading.Thread(target=self._beat, daemon=True)
        self._beater.start()

    def _beat(self):
        with open(self.table, "r+b") as f:
            while self._beating.is_set():
                f.seek(24)
                f.write(struct.pack("<Q", _boottime_us()))
                f.flush()
                time.sleep(0.2)

    def stop_beating(self):
        """Hang: everything stays open, nothing moves."""
        self._beating.clear()
        if self._beater:
            self._beater.join()
            self._beater = None


def _boottime_us():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class Advert:
    """One VRRP advert as it was on the wire."""

    def __init__(self, frame, when):
        self.when = when
        self.ip = frame[14:14 + struct.unpack("!H", frame[16:18])[0]]
        self.message = self.ip[(self.ip[0] & 15) * 4:]
        self.source = socket.inet_ntoa(self.ip[12:16])
        self.version = self.message[0] >> 4
        self.vrid, self.priority, self.count = self.message[1:4]

    def __repr__(self):
        return f"<advert v{self.version} {self.source} router {self.vrid} priority {self.priority}>"


class Ear:
    """Hears VRRP adverts and gratuitous ARP on eth0 of a namespace, from its making on."""

    def __init__(self, ns):
        self.adverts, self.arps = [], []  # arps: (time, MAC, operation) of announcements of the VIP
        self._sock = ns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._sock.bind(("eth0", 3))
        self._end = threading.Event()
        with ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:  # joins, for bridges that snoop
            index = socket.inet_aton(GROUP) + socket.inet_aton("0.0.0.0") + struct.pack("i", _ifindex(ns))
            s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, index)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._end.is_set():
            if not select.select([self._sock], [], [], 0.1)[0]:
                continue
            frame, sender = self._sock.recvfrom(2048)
            if sender[2] == socket.PACKET_OUTGOING:
                continue
            self._sort(frame, time.monotonic())

    def _sort(self, frame, now):
        kind = frame[12:14]
        if kind == b"\x08\x00" and frame[23] == PROTO:
            self.adverts.append(Advert(frame, now))
        elif kind == b"\x08\x06" and frame[28:32] == frame[38:42] == socket.inet_aton(VIP):
            self.arps.append((now, frame[22:28].hex(":"), frame[21]))

    def of(self, source, priority=None):
        """Adverts of that source, and of that priority."""
        return [a for a in self.adverts if a.source == source and priority in (None, a.priority)]

    def close(self):
        self._end.set()
        self._thread.join()
        self._sock.close()


def _ifindex(ns):
    return ns.ip_json("link", "show", "dev", "eth0")[0]["ifindex"]


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def advert(source, priority=101, vrid=51, addresses=(VIP,), interval=1, ttl=255, first=0x21, auth=0, add=0,
           tail=b"\0" * 8):
    """The frame of a version 2 advert; `add` spoils its checksum."""
    body = b"".join(socket.inet_aton(a) for a in addresses) + tail
    head = struct.pack("!BBBBBB", first, vrid, priority, len(addresses), auth, interval)
    message = head + struct.pack("!H", (checksum(head + b"\0\0" + body) + add) & 0xFFFF) + body
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0xC0, 20 + len(message), 7, 0, ttl, PROTO, 0,
                     socket.inet_aton(source), socket.inet_aton(GROUP))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return GROUP_MAC + b"\x02\0\0\0\0\x63" + b"\x08\x00" + ip + message


def forge(ns, frame, times=1):
    """Put the frame on the wire from ns."""
    with ns.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
        s.bind(("eth0", 0x0800))
        for _ in range(times):
            s.send(frame)


class Prober:
    """Knocks at a closed port of the VIP every 5 ms; a refusal is an answer, silence for 100 ms is none.

    The outage is the time from the last good knock before the first bad one to the next good one.
    """

    def __init__(self, ns, address=VIP):
        self.ns, self.address = ns, address
        self.outages = []
        self.knocks = 0
        self.answered = threading.Event()
        self._end = threading.Event()
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        bad = False
        while not self._end.is_set():
            start = time.monotonic()
            if self._knock():
                now = time.monotonic()
                if bad:
                    self.outages.append(now - self._last)
                self._last, bad = start, False
                self.answered.set()
            else:
                bad = True
            self.knocks += 1
            time.sleep(max(0, start + 0.005 - time.monotonic()))
        if bad:
            self.outages.append(time.monotonic() - self._last)

    def _knock(self):
        with self.ns.socket() as s:
            s.setblocking(False)
            rc = s.connect_ex((self.address, 9))
            if rc == errno.EINPROGRESS:
                if not select.select([], [s], [], 0.1)[1]:
                    return False
                rc = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            return rc in (0, errno.ECONNREFUSED)

    def stop(self):
        """End it; the sum of all outages in seconds."""
        self._end.set()
        self._thread.join()
        return sum(self.outages)


class Keepalived:
    """keepalived on a board, as the post configures it (without the script)."""

    def __init__(self, board, priority=101, version=2, interval=1):
        self.board = board
        self.log = os.path.join(board.dir, "keepalived.log")
        self._conf = os.path.join(board.dir, "keepalived.conf")
        with open(self._conf, "w", encoding="utf-8") as f:
            f.write(f"""global_defs {{
    router_id {board.name}
    vrrp_version {version}
}}
vrrp_instance VI_1 {{
    interface eth0
    state BACKUP
    virtual_router_id 51
    priority {priority}
    advert_int {interval}
    virtual_ipaddress {{
        {VIP}
    }}
}}
""")
        self.proc = None

    def start(self):
        def at(name):
            return os.path.join(self.board.dir, name)
        self.proc = Proc(self.board.ns, ["/usr/sbin/keepalived", "-n", "-l", "-D", "-P", "-f", self._conf,
                                         "-p", at("ka.pid"), "-r", at("ka-vrrp.pid")], self.log)
        wait_until(lambda: "Entering BACKUP STATE" in self.output(), 10, "keepalived runs")
        return self

    def stop(self):
        """SIGTERM: it sends priority 0."""
        if self.proc:
            self.proc.stop()
            self.proc = None

    def kill(self):
        """SIGKILL of both of its processes; the address stays."""
        if not self.proc:
            return
        with open(os.path.join(self.board.dir, "ka-vrrp.pid"), encoding="ascii") as f:
            worker = int(f.read())
        self.proc.kill()
        try:
            os.kill(worker, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.proc = None

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()
