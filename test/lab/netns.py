# SPDX-License-Identifier: MIT
"""Network namespaces that belong to this process and die with it.

A namespace is held open by a file descriptor instead of a name under /run/netns. However the lab
ends, even by SIGKILL, the kernel then takes back the namespace, its links and its addresses: there
is nothing to sweep up after a crash, and labs side by side cannot meet. Other programs reach a
namespace through `Netns.path` (`nsenter --net=PATH command`).

The current thread may step into a namespace for a moment (`with ns:`). A socket belongs to the
namespace in which it was made for as long as it lives, so that is all a client or an origin needs.
"""

import ctypes
import json
import os
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_inside = threading.local()


class LabError(Exception):
    """The lab cannot be what it promises: no root, a way out, a failed command."""


def require_root():
    """Fail with words a person can act on unless namespaces can be made."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root, because it makes network namespaces: run it with sudo")


def _home():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


_host = _home()  # where this program was started


def _enter(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns: " + os.strerror(ctypes.get_errno()))


class Netns:
    """One network namespace, with its loopback up, isolated from the host. Close it when done."""

    def __init__(self, name):
        require_root()
        self.name = name
        self.fd = -1
        home = _home()
        try:
            if _libc.unshare(CLONE_NEWNET) != 0:
                raise LabError("unshare: " + os.strerror(ctypes.get_errno()))
            self.fd = _home()
        finally:
            _enter(home)
            os.close(home)
        self.ip("link set lo up")

    def __repr__(self):
        return f"<Netns {self.name}>"

    @property
    def path(self):
        """A file that stands for the namespace, for nsenter and ip, while this process lives."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def close(self):
        """Let go of it. Idempotent. Programs still inside would keep it alive: end them first."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    # -- stepping in

    def __enter__(self):
        stack = _inside.__dict__.setdefault("stack", [])
        home = _home()
        try:
            _enter(self.fd)
        except OSError:
            os.close(home)
            raise
        stack.append(home)
        return self

    def __exit__(self, *exc):
        home = _inside.stack.pop()
        _enter(home)
        os.close(home)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, proto=0):
        """A socket of this namespace, usable from any thread."""
        with self:
            return socket.socket(family, kind, proto)

    # -- commands

    def argv(self, *command):
        """What to execute so that `command` runs here, under the same pid."""
        return ["nsenter", "--net=" + self.path, "--", *command]

    def run(self, *command, input=None, timeout=20):
        """Run to the end, return what it printed; LabError with its complaint when it fails."""
        done = subprocess.run(self.argv(*command), input=input, timeout=timeout, text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            complaint = done.stderr.strip() or done.stdout
            raise LabError(f"{self.name}: {' '.join(command)}: {complaint}")
        return done.stdout

    def ip(self, *lines):
        """Several `ip` commands in one go, each as after the word ip."""
        return self.run("ip", "-batch", "-", input="\n".join(lines) + "\n")

    def ip_json(self, *args):
        """What `ip -j ARGS` tells, decoded."""
        return json.loads(self.run("ip", "-j", *args) or "[]")

    # -- questions

    def owns(self, address):
        """Is that one of this namespace's addresses? Asks the kernel by binding to it."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.socket(family, socket.SOCK_DGRAM) as s:
            try:
                s.bind((address, 0))
            except OSError:
                return False
        return True

    def carrier(self, link="eth0"):
        """Does the link have a carrier (the cable is in and the other end is up)?"""
        flags = self.ip_json("link", "show", "dev", link)[0]["flags"]
        return "LOWER_UP" in flags and "NO-CARRIER" not in flags

    def must_be_isolated(self):
        """LabError unless nothing sent here can leave: not the host's namespace, no way out."""
        if os.path.sameopenfile(self.fd, _host):
            raise LabError(f"{self.name} is the host's own namespace: the lab will not run there")
        for family in ("-4", "-6"):
            way_out = self.ip_json(family, "route", "show", "default")
            if way_out:
                raise LabError(f"{self.name} has a route out ({way_out[0]}): the lab will not run")
        for link in self.ip_json("-d", "link", "show"):
            kind = link.get("linkinfo", {}).get("info_kind")
            if link["link_type"] != "loopback" and kind is None:
                raise LabError(f"{self.name} holds a real interface, {link['ifname']}: "
                               "the lab will not run")


def cable(a, a_link, b, b_link):
    """A veth pair between two namespaces; both ends are down still."""
    a.ip(f"link add {a_link} type veth peer name {b_link} netns {b.path}")
