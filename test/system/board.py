# SPDX-License-Identifier: MIT
"""A board that boots a real systemd as PID 1, in a container over this machine's own files.

The root is an overlay: what the board writes goes to a tmpfs and with it. The network is a namespace with one
interface, 192.168.1.171 on eth0, whose other end is in a namespace of its own: nothing leads out.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

CGROUP = pathlib.Path("/sys/fs/cgroup")
CLEAN_ENV = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb", "LANG=C.UTF-8",
             "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0"]


def sh(*command, **kw):
    return subprocess.run(command, check=True, **kw)


class Board:
    def __init__(self, *shared):
        """shared: folders of this machine that the board sees at the same place."""
        self.shared = shared
        self.name = f"gpsys{os.getpid()}"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="greenpi-system-"))
        self.init = None
        self.undo = []

    # ---- building up, each step with its undoing
    def _disk(self):
        disk = self.dir / "disk"
        disk.mkdir()
        sh("mount", "-t", "tmpfs", "-o", "size=2g,mode=0755", "tmpfs", disk)
        self.undo.append(lambda: sh("umount", disk))
        for part in ("up", "work", "root"):
            (disk / part).mkdir()
        self.root = disk / "root"
        sh("mount", "-t", "overlay", "overlay", "-o",
           f"lowerdir=/,upperdir={disk}/up,workdir={disk}/work", self.root)
        self.undo.append(lambda: sh("umount", self.root))
        for wants in (self.root / "etc/systemd/system").glob("*.wants"):
            shutil.rmtree(wants)  # nothing of this machine's own starts in the board
        for start in (self.root / "etc").glob("rc?.d/S*"):
            start.unlink()
        (self.root / "etc/hostname").write_text("GreenPi-1\n")
        (self.root / "etc/machine-id").write_text("")

    def _network(self):
        far = self.name + "-far"
        for ns in (self.name, far):
            sh("ip", "netns", "add", ns)
            self.undo.append(lambda ns=ns: sh("ip", "netns", "del", ns))
            sh("ip", "-n", ns, "link", "set", "lo", "up")
        sh("ip", "link", "add", "eth0", "netns", self.name, "type", "veth", "peer", "name", "eth0", "netns", far)
        for ns, address in ((self.name, "192.168.1.171/24"), (far, "192.168.1.10/24")):
            sh("ip", "-n", ns, "addr", "add", address, "dev", "eth0")
            sh("ip", "-n", ns, "link", "set", "eth0", "up")
            routes = subprocess.run(["ip", "-n", ns, "route", "show", "default"], capture_output=True, text=True)
            assert not routes.stdout, f"namespace {ns} has a way out: {routes.stdout}"

    def _cgroups(self):
        """A group of the board's own in each hierarchy: boards must not share one."""
        groups = [CGROUP / k / self.name for k in ("systemd", "unified") if (CGROUP / k).is_dir()]
        if (CGROUP / "cgroup.procs").exists():
            groups.append(CGROUP / self.name)
        for g in groups:
            g.mkdir()
            self.undo.append(lambda g=g: [os.rmdir(d) for d, _, _ in os.walk(g, topdown=False)])
        return groups

    def _join(self, groups):
        for g in groups:
            (g / "cgroup.procs").write_text(str(os.getpid()))

    def boot(self, deadline_s=60):
        self._disk()
        self._network()
        groups = self._cgroups()
        log = open(self.dir / "boot.log", "wb")
        self.nspawn = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.name}", "systemd-nspawn", "-q", "-D", self.root, "--boot",
             "--keep-unit", "--register=no", f"--machine={self.name}", "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
             "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=read-only",
             *(f"--bind={path}" for path in self.shared)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=lambda: self._join(groups),
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        self.undo.append(self._power_off)
        until = time.monotonic() + deadline_s
        while self.run("systemctl", "is-system-running", check=False).stdout.strip() not in ("running", "degraded"):
            assert time.monotonic() < until and self.nspawn.poll() is None, (self.dir / "boot.log").read_text()
        return self

    # ---- using it
    def _leader(self):
        children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        return children[0] if children else None

    def command(self, *command):
        leader = self._leader()
        if not leader:
            return ["false"]
        return ["nsenter", "-t", leader, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--", *CLEAN_ENV,
                *map(str, command)]

    def run(self, *command, check=True, timeout=60):
        """Runs a command in the board; its output as text."""
        r = subprocess.run(self.command(*command), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           timeout=timeout)
        assert not check or r.returncode == 0, f"{command}: {r.returncode}\n{r.stdout}{r.stderr}"
        return r

    def out(self, *command, **kw):
        return self.run(*command, **kw).stdout

    def start(self, *command):
        """A command that goes on; its output is in .communicate()."""
        return subprocess.Popen(self.command(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    # ---- taking it down
    def _power_off(self):
        self.run("systemctl", "poweroff", "--no-wall", check=False)
        try:
            self.nspawn.wait(20)
        except subprocess.TimeoutExpired:
            self.nspawn.send_signal(signal.SIGKILL)
            self.nspawn.wait()

    def close(self):
        while self.undo:
            try:
                self.undo.pop()()
            except (subprocess.CalledProcessError, OSError) as e:
                print(f"clean-up: {e}")
        shutil.rmtree(self.dir, ignore_errors=True)
