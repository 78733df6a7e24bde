# SPDX-License-Identifier: MIT
"""What a user does on a board: make install, systemctl start greenpi.target, look, restart, stop."""
import contextlib
import json
import pathlib
import re
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from board import Board  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
DAEMONS = ("lbd", "vipd", "edged", "healthd")
PAGE = "http://192.168.1.170/page"
ORIGIN = """
import http.server
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0
    def do_GET(s):
        if s.path == "/asked":
            body = str(H.asked).encode()
        else:
            H.asked += s.path == "/page"
            body = b"x" * 1024
        s.send_response(200)
        s.send_header("Content-Length", str(len(body)))
        s.send_header("Cache-Control", "max-age=3600")
        s.end_headers()
        s.wfile.write(body)
    def log_message(s, *a):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 6080), H).serve_forever()
"""


def wait_until(true, deadline_s=15, what=""):
    until = time.monotonic() + deadline_s
    while not true():
        assert time.monotonic() < until, f"not in {deadline_s} s: {what or true}"


@pytest.fixture(scope="module")
def board():
    b = Board(TOP)
    try:
        b.boot()
        b.run("make", "-C", TOP, "install", timeout=300)
        b.run("systemd-sysusers")
        b.run("systemd-tmpfiles", "--create", "greenpi.conf")
        b.run("systemctl", "daemon-reload")
        (b.root / "root/origin.py").write_text(ORIGIN)
        b.run("systemd-run", "-q", "--unit=origin", "/usr/bin/python3", "/root/origin.py")
        yield b
    finally:
        b.close()


@pytest.fixture
def up(board):
    board.run("systemctl", "start", "greenpi.target")
    wait_until(lambda: "200" in head(board, PAGE), what="the page answers on the shared address")
    return board


def head(board, url):
    return board.out("curl", "-sI", "-m", "2", url, check=False)


def asked(board):
    return int(board.out("curl", "-s", "-m", "2", "http://127.0.0.1:6080/asked"))


def age(board):
    return int(re.search(r"^Age: (\d+)", head(board, PAGE), re.M).group(1))


def main_pid(board, unit):
    return int(board.out("systemctl", "show", "-p", "MainPID", "--value", unit))


def under_load(board, disturb, requests=12000):
    """ab's report of short connections while disturb() happens."""
    load = board.start("ab", "-q", "-r", "-s", "20", "-c", "20", "-n", requests, PAGE)
    wait_until(lambda: board.out("ss", "-Htn", "state", "established", "dst", "192.168.1.170") or
               load.poll() is not None, what="the load runs")
    disturb()
    report, _ = load.communicate(timeout=60)
    assert load.returncode == 0, report
    return report


def lossless(report, requests=12000):
    assert re.search(rf"^Complete requests: +{requests}$", report, re.M), report
    assert re.search(r"^Failed requests: +0$", report, re.M), report
    assert "Non-2xx" not in report, report


def test_the_units_are_good():
    units = sorted(str(u) for u in (TOP / "systemd").glob("greenpi.target")) + \
        sorted(str(u) for u in (TOP / "systemd").glob("*.service"))
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    complaints = [line for line in r.stderr.splitlines() if "is not executable" not in line]
    assert complaints == []


def test_start_brings_up_four_daemons_and_the_page(up):
    for d in DAEMONS:
        assert up.out("systemctl", "is-active", d).strip() == "active"
    assert "192.168.1.170" in up.out("ip", "-br", "address", "show", "eth0")
    assert "vipd" in up.out("greenpictl", "status")


def test_a_boot_would_keep_a_subnets_other_addresses(up):
    """What systemd-sysctl reads; in this board /proc/sys cannot be written."""
    settings = up.out("systemd-analyze", "cat-config", "sysctl.d").splitlines()
    for which in ("all", "default"):
        assert f"net.ipv4.conf.{which}.promote_secondaries = 1" in settings


def test_each_runs_as_its_own_user_with_few_rights(up):
    few = {"lbd": {"cap_net_bind_service"}, "vipd": {"cap_net_admin", "cap_net_raw"}, "edged": set(),
           "healthd": set()}
    bits = {10: "cap_net_bind_service", 12: "cap_net_admin", 13: "cap_net_raw"}
    for d in DAEMONS:
        status = up.out("cat", f"/proc/{main_pid(up, d)}/status")
        effective = int(re.search(r"^CapEff:\s+(\w+)", status, re.M).group(1), 16)
        names = {bits.get(n, str(n)) for n in range(64) if effective >> n & 1}
        assert names == few[d], d
        uid = re.search(r"^Uid:\s+(\d+)", status, re.M).group(1)
        assert up.out("id", "-nu", uid).strip() == f"greenpi-{d}"


def test_the_journal_tells_the_story(up):
    story = up.out("journalctl", "-u", "lbd", "-o", "cat", "--no-pager")
    assert "runs with /etc/greenpi/greenpi.conf" in story
    assert "server edges/web4 is DOWN" in story
    assert '"HEAD /page HTTP/1.1"' in story
    warnings = up.out("journalctl", "-u", "lbd", "-p", "warning", "-o", "cat", "--no-pager")
    assert "server edges/web4 is DOWN" in warnings and "GET" not in warnings


def journal(board, *match):
    """Entries of the journal as dictionaries."""
    return [json.loads(line) for line in board.out("journalctl", "--no-pager", "-o", "json", *match).splitlines()]


def test_state_changes_have_fields(up):
    """What a program looks for needs no reading of sentences."""
    down = journal(up, "-u", "lbd", "GREENPI_EVENT=server_down", "GREENPI_SERVER=web4")[-1]
    assert down["MESSAGE"].startswith("server edges/web4 is DOWN: ")
    assert (down["GREENPI_POOL"], down["GREENPI_STATUS"]) == ("edges", "DOWN")
    assert down["GREENPI_REASON"] and (down["PRIORITY"], down["SYSLOG_IDENTIFIER"]) == ("4", "lbd")
    down = journal(up, "-u", "healthd", "GREENPI_EVENT=server_down", "GREENPI_SERVER=web4")[-1]
    assert (down["GREENPI_POOL"], down["GREENPI_STATUS"]) == ("edges", "DOWN")
    master = journal(up, "-u", "vipd", "GREENPI_EVENT=master")[-1]
    assert master["GREENPI_INSTANCE"] and master["GREENPI_STATUS"] == "MASTER"
    for d in DAEMONS:
        assert journal(up, "-u", d, "GREENPI_EVENT=started"), d
    before = len(journal(up, "-u", "lbd", "GREENPI_EVENT=reload_done"))
    up.run("systemctl", "reload", "lbd")
    wait_until(lambda: len(journal(up, "-u", "lbd", "GREENPI_EVENT=reload_done")) == before + 1)


def test_the_journal_gets_every_line_of_the_access_log(up):
    before = access_lines(up, "/many")
    up.run("ab", "-q", "-k", "-c", "20", "-n", "60000", PAGE.replace("/page", "/many"))
    wait_until(lambda: access_lines(up, "/many") == before + 60000, what="60000 lines in the journal")
    assert "Suppressed" not in up.out("journalctl", "--no-pager", "-o", "cat", "-t", "systemd-journald")


def access_lines(board, path):
    return board.out("journalctl", "-u", "lbd", "-o", "cat", "--no-pager").count(f'"GET {path} ')


@contextlib.contextmanager
def a_journal_that_stands(board):
    pid = board.out("pidof", "systemd-journald").strip()
    board.run("kill", "-STOP", pid)
    try:
        yield
    finally:
        board.run("kill", "-CONT", pid)


def fill_the_journal(board):
    """40 MB of access log, five times what the journal's socket holds: every request is answered."""
    url = PAGE.replace("/page", "/" + "x" * 2000)
    report = board.out("ab", "-q", "-k", "-s", "5", "-c", "20", "-n", "20000", url)
    assert re.search(r"^Complete requests: +20000$", report, re.M), report
    wait_until(lambda: int(re.search(r"^process log_dropped (\d+)", control(board, "lbd", "stats"), re.M).group(1)) > 1000)


def test_a_journal_that_stands_still_stops_no_request(up):
    with a_journal_that_stands(up):
        fill_the_journal(up)
        assert "MAINT" in control(up, "lbd", "disable server edges/web1")
        assert "UP" in control(up, "lbd", "enable server edges/web1")
    wait_until(lambda: "lines were left out: the log was not read in time" in
               up.out("journalctl", "-u", "lbd", "-o", "cat", "--no-pager"))
    wait_until(lambda: len(journal(up, "-u", "lbd", "GREENPI_EVENT=server_admin", "GREENPI_STATUS=MAINT")) == 1)


def test_a_journal_that_stands_still_holds_up_no_restart(up):
    with a_journal_that_stands(up):
        fill_the_journal(up)
        old, start = main_pid(up, "lbd"), time.monotonic()
        up.run("systemctl", "restart", "lbd")
        assert time.monotonic() - start < 4 and main_pid(up, "lbd") not in (0, old)
        assert "200" in head(up, PAGE)
    wait_until(lambda: "GET" not in last_words(up) and "runs with" in last_words(up))


def last_words(board):
    """The last state change of lbd that the journal has."""
    return journal(board, "-u", "lbd", "GREENPI_EVENT=started")[-1]["MESSAGE"]


def control(board, daemon, command):
    """One command on a daemon's control socket."""
    return board.run("/usr/bin/python3", "-c", f"""
import socket
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect("/run/greenpi/{daemon}.sock")
s.sendall(b"{command}\\n")
got = b""
while not got.endswith(b"\\n\\n"):
    got += s.recv(65536)
print(got.decode())
""").stdout


@pytest.mark.parametrize("daemon", ["lbd", "edged"])
def test_restart_under_load_loses_no_request(up, daemon):
    lossless(under_load(up, lambda: up.run("systemctl", "restart", daemon)))


def test_reload_under_load_loses_no_request(up):
    before = {d: main_pid(up, d) for d in DAEMONS}
    lossless(under_load(up, lambda: up.run("systemctl", "reload", "greenpi.target")))
    assert {d: main_pid(up, d) for d in DAEMONS} == before


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_the_cache_stays_warm(up, how):
    questions, old = asked(up), main_pid(up, "edged")
    wait_until(lambda: age(up) >= 1, what="the page has an age")
    had = age(up)
    if how == "restart":
        up.run("systemctl", "restart", "edged")
    else:
        up.run("systemctl", "kill", "-s", "KILL", "edged")
    wait_until(lambda: main_pid(up, "edged") not in (0, old) and "200" in head(up, PAGE), what="edged is back")
    assert age(up) >= had
    assert asked(up) == questions
    assert "the cache survived" in up.out("journalctl", "-u", "edged", "-o", "cat", "--no-pager")


def test_a_bad_configuration_is_refused_and_the_old_goes_on(up):
    conf = up.root / "etc/greenpi/greenpi.conf"
    good = conf.read_text()
    with conf.open("a") as f:
        f.write("\n[pool edges2]\nretries = 99\nbalanse = x\n")
    try:
        up.run("systemctl", "reload", "lbd", check=False)
        story = lambda: up.out("journalctl", "-u", "lbd", "-o", "cat", "--no-pager")
        wait_until(lambda: "is refused; the previous configuration is kept" in story())
        assert "retries: 99 is outside 0..10" in story() and "did you mean" in story()
        assert "200" in head(up, PAGE)
    finally:
        with conf.open("w") as f:
            f.write(good)
        up.run("systemctl", "reload", "lbd")


def test_stop_leaves_nothing_behind(up):
    up.run("systemctl", "stop", "greenpi.target")
    for d in DAEMONS:
        wait_until(lambda: up.out("systemctl", "is-active", d, check=False).strip() == "inactive", what=f"{d} ended")
    assert "192.168.1.170" not in up.out("ip", "-br", "address", "show", "eth0")
    assert up.out("ls", "/run/greenpi").split() == []


def test_the_readme_uninstall_leaves_nothing(up):
    readme = (TOP / "README").read_text().partition("To remove GreenPi")[2]
    commands = re.search(r"\n\n((?:    .*\n)+)", readme).group(1).replace("sudo ", "")
    up.run("systemctl", "enable", "greenpi.target")
    up.run("sh", "-exc", f"cd {TOP}\n{commands}")
    files = [f"/usr/sbin/{d}" for d in DAEMONS] + ["/usr/bin/greenpictl", "/etc/greenpi", "/usr/share/doc/greenpi"]
    assert [f for f in files if (up.root / f[1:]).exists()] == []
    assert up.out("find", "/etc", "/usr/lib", "/usr/share/man", "-name", "*greenpi*") == ""
    assert [d for d in DAEMONS if up.run("systemctl", "cat", d, check=False).returncode == 0] == []
    assert [d for d in DAEMONS if up.run("pgrep", "-x", d, check=False).returncode == 0] == []
    assert "greenpi" not in up.out("cat", "/etc/passwd", "/etc/group")
