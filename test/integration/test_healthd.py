# SPDX-License-Identifier: MIT
"""healthd: probes of every kind against real peers, verdicts in health.shm, events on its socket."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from lab import shm
from lab.daemon import build_dir, once
from lab.origin import close_after_request, hang, raw, reply
from lab.proc import Proc
from lab.wait import wait_until

FAST = "inter = 50ms\nfastinter = 20ms\ndowninter = 50ms\n"


def pool(origin, check="http GET /greenpi/health", keys="", name="web1"):
    return (f"[pool edges]\ncheck = {check}\ncheck-timeout = 300ms\n{FAST}rise = 2\nfall = 3\n{keys}\n"
            f"[server {name}]\npool = edges\naddress = 127.0.0.1:{origin.address[1]}\n")


def check(name, probe, port, keys=""):
    return f"[check {name}]\nprobe = {probe}\naddress = 127.0.0.1:{port}\n{FAST}timeout = 300ms\n{keys}\n"


def verdict(d, name):
    return shm.health(d.path("health.shm")).get(name, {})


def wait_state(d, name, state, deadline=10):
    wait_until(lambda: verdict(d, name).get("state") == state, deadline, f"{name} to be {state}")
    return verdict(d, name)


# -- servers

@pytest.mark.parametrize("how", ["tcp", "http GET /greenpi/health", "http HEAD /greenpi/health"])
def test_a_server_goes_down_and_comes_back(lab, how):
    o = lab.origin()
    d = lab.healthd(pool(o, how))
    v = wait_state(d, "edges/web1", "up")
    assert (v["result"], v["code"]) == (("L4OK", 0) if how == "tcp" else ("L7OK", 200))
    assert (v["rise"], v["fall"], v["changes"]) == (2, 3, 0)
    w = d.watch()
    lab.origins.remove(o)
    o.close()
    assert w.until("edges/web1") == "server edges/web1 DOWN L4CON connection refused"
    v = verdict(d, "edges/web1")
    assert (v["state"], v["result"], v["reason"], v["changes"]) == ("down", "L4CON", "connection refused", 1)
    lab.origin(port=o.address[1])
    assert w.until("edges/web1").startswith("server edges/web1 UP L")
    w.close()
    assert verdict(d, "edges/web1")["health"] == 4
    d.logged("server edges/web1 is DOWN: L4CON connection refused")
    told = d.ask_json("stats")
    one, all_ = told["target"]["edges/web1"], told["process"]
    assert (one["downs"], all_["changes"], all_["targets"], all_["targets_up"]) == (1, 2, 1, 1)
    assert one["failures"] >= 3 and one["probes"] >= one["failures"] + 2 and one["slowest_us"] > 0
    assert d.ask("stats target/check/none").startswith('error: no target "check/none" was counted')


def test_the_request_is_as_configured(lab):
    o = lab.origin()
    d = lab.healthd(pool(o, "http GET /a/../b%2f?x=1"))
    wait_until(lambda: o.saw(b"GET /a/../b%2f?x=1 HTTP/1.1\r\n"))
    assert o.saw(b"Host: 127.0.0.1:%d\r\n" % o.address[1]) and o.saw(b"User-Agent: GreenPi-healthd")
    wait_until(lambda: o.accepted >= 3)
    assert o.hits <= o.accepted
    d.stop()


@pytest.mark.parametrize("behaviour, result, code, reason", [
    (reply(503), "L7STS", 503, "status 503"),
    (reply(404), "L7STS", 404, "status 404"),
    (close_after_request, "L7RSP", 0, "connection closed without an answer"),
    (raw(b"hello there, this is no HTTP\r\n\r\n"), "L7RSP", 0, "not an HTTP answer"),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), "L7RSP", 200, "the answer is cut short"),
    (hang, "L7TOUT", 0, "no answer within 300 ms"),
])
def test_what_makes_an_http_probe_fail(lab, behaviour, result, code, reason):
    d = lab.healthd(pool(lab.origin(behaviour)))
    v = wait_state(d, "edges/web1", "down")
    assert (v["result"], v["code"]) == (result, code) and v["reason"].startswith(reason)


def test_a_large_page_and_a_redirect_are_good(lab):
    o = lab.origin(reply(302, b"x" * 300000, {"Location": "/elsewhere"}))
    d = lab.healthd(pool(o))
    assert wait_state(d, "edges/web1", "up")["code"] == 302
    assert not o.saw(b"/elsewhere")


def test_a_drop_of_syns_is_a_timeout_of_the_connection(lab):
    full = lab.ns.socket()
    full.bind(("127.0.0.1", 7990))
    full.listen(0)
    clients = [lab.ns.socket() for _ in range(4)]
    for c in clients:
        c.setblocking(False)
        c.connect_ex(("127.0.0.1", 7990))
    d = lab.healthd(check("t", "tcp", 7990) + check("h", "http GET /", 7990))
    for name in ("check/t", "check/h"):
        v = wait_state(d, name, "down")
        assert (v["result"], v["reason"]) == ("L4TOUT", "no answer within 300 ms")
    for s in clients + [full]:
        s.close()


def test_one_failure_is_forgiven(lab):
    bad = threading.Event()

    def now_and_then(call):
        if bad.is_set():
            bad.clear()
            call.answer(500)
        else:
            call.answer(200)

    o = lab.origin(now_and_then)
    d = lab.healthd(pool(o))
    wait_state(d, "edges/web1", "up")
    for _ in range(3):
        bad.set()
        wait_until(lambda: not bad.is_set())
        hits = o.hits
        wait_until(lambda: o.hits > hits + 2)
    v = verdict(d, "edges/web1")
    assert (v["state"], v["changes"], v["health"]) == ("up", 0, 4)


def test_a_pool_without_check_has_no_verdict(lab):
    o = lab.origin()
    d = lab.healthd(pool(o, "none") + check("origin", "tcp", o.address[1]))
    wait_state(d, "check/origin", "up")
    assert set(shm.health(d.path("health.shm"))) == {"check/origin"}


# -- the table and the socket

def test_it_beats_and_stops_beating(lab):
    d = lab.healthd(pool(lab.origin()))
    path = d.path("health.shm")
    before = shm.header(path)["heartbeat_us"]
    wait_until(lambda: shm.header(path)["heartbeat_us"] > before, 3)
    wait_state(d, "edges/web1", "up")
    d.kill()
    last = shm.header(path)["heartbeat_us"]
    time.sleep(0.7)
    assert shm.header(path)["heartbeat_us"] == last and shm.health(path)["edges/web1"]["state"] == "up"


def test_state_as_text_and_json(lab):
    o = lab.origin()
    d = lab.healthd(pool(o))
    wait_state(d, "edges/web1", "up")
    assert d.ask("state").startswith("edges/web1 UP 3/3 L7OK status 200 in ")
    (t,) = d.ask_json("state")["targets"]
    assert (t["name"], t["state"], t["probe"], t["code"]) == ("edges/web1", "up", "http", 200)
    assert t["address"] == f"127.0.0.1:{o.address[1]}"


def test_probe_now(lab):
    o = lab.origin()
    d = lab.healthd(pool(o, keys="").replace("inter = 50ms", "inter = 1h", 1))
    wait_state(d, "edges/web1", "up")
    hits = o.hits
    assert d.ask("probe edges/web1") == "done\n"
    wait_until(lambda: o.hits == hits + 1)
    assert d.ask("probe edges/none").startswith("error: there is no target")


# -- reload and restart

def test_a_reload_keeps_states_by_name(lab):
    up, down = lab.origin(), lab.origin(reply(500))
    two = pool(up) + f"[server web2]\npool = edges\naddress = 127.0.0.1:{down.address[1]}\n"
    d = lab.healthd(two)
    wait_state(d, "edges/web1", "up")
    since = wait_state(d, "edges/web2", "down")["since_s"]
    w = d.watch()
    d.write_conf(two + check("new", "tcp", up.address[1]))
    d.reload()
    assert w.until("check new") == "check new UP L4OK connected"
    assert verdict(d, "edges/web1")["state"] == "up" and verdict(d, "edges/web1")["changes"] == 0
    v = verdict(d, "edges/web2")
    assert (v["state"], v["since_s"]) == ("down", since)
    d.write_conf(pool(up))
    d.reload()
    wait_until(lambda: set(shm.health(d.path("health.shm"))) == {"edges/web1"})
    w.close()


def test_a_broken_file_is_refused_and_probes_go_on(lab):
    o = lab.origin()
    d = lab.healthd(pool(o))
    wait_state(d, "edges/web1", "up")
    d.write_conf("[pool edges]\nchek = tcp\n[check x]\nprobe = udp\n")
    d.reload()
    wait_until(lambda: "is refused; the previous configuration is kept" in d.output())
    hits = o.hits
    wait_until(lambda: o.hits > hits + 1)
    d.logged("chek", "not a probe")


def test_a_restart_begins_with_the_last_verdicts(lab):
    o = lab.origin(reply(500))
    d = lab.healthd(pool(o))
    since = wait_state(d, "edges/web1", "down")["since_s"]
    o.behaviour = hang
    d.restart()
    v = verdict(d, "edges/web1")
    assert (v["state"], v["since_s"]) == ("down", since)
    d.crash()
    v = verdict(d, "edges/web1")
    assert (v["state"], v["since_s"]) == ("down", since)
    d.stop()
    assert not os.path.exists(d.path("health.shm"))
    d.start()  # and not after a stop: too long ago
    assert verdict(d, "edges/web1")["state"] != "down"


# -- together with the balancer

def test_the_balancer_hears_a_verdict_at_once_and_keeps_the_last(lab):
    failing, sick = threading.Event(), reply(500, b"sick")
    a = lab.origin(reply(200, b"a"))
    b = lab.origin(lambda call: (sick if failing.is_set() else reply(200, b"b"))(call))
    conf = (f"[frontend web]\nbind = 127.0.0.1:80\npool = edges\n" + pool(a) +
            f"[server web2]\npool = edges\naddress = 127.0.0.1:{b.address[1]}\n")
    d = lab.healthd(conf)
    for name in ("edges/web1", "edges/web2"):
        wait_state(d, name, "up")
    lb = lab.lbd(conf=conf)
    assert {lb.get().body for _ in range(4)} == {b"a", b"b"}
    failing.set()
    wait_state(d, "edges/web2", "down")
    wait_until(lambda: "server edges/web2 is DOWN" in lb.output(), 1)
    assert {lb.get().body for _ in range(6)} == {b"a"}
    d.kill()
    failing.clear()
    wait_until(lambda: "its last verdicts are kept" in lb.output(), 8)
    assert {lb.get().body for _ in range(6)} == {b"a"}
    d.start()
    wait_until(lambda: {lb.get().body for _ in range(4)} == {b"a", b"b"}, 5)


# -- databases

class MariaDb:
    """A real server with one user, in the lab's namespace."""

    def __init__(self, lab, port=3306):
        self.dir = os.path.join(lab.dir, "db")
        self.port = port
        self.lab = lab
        os.makedirs(self.dir)
        data = os.path.join(self.dir, "data")
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=root", "--datadir=" + data,
                        "--auth-root-authentication-method=normal", "--skip-test-db"],
                       check=True, capture_output=True, timeout=120)
        self.sock = os.path.join(self.dir, "s")
        self.argv = ["mariadbd", "--no-defaults", "--user=root", "--datadir=" + data, "--socket=" + self.sock,
                     "--bind-address=127.0.0.1", f"--port={port}", "--pid-file=" + os.path.join(self.dir, "pid"),
                     "--innodb-buffer-pool-size=8M", "--skip-name-resolve"]
        self.start()
        self.sql("CREATE USER 'greenpi'@'%' IDENTIFIED BY 'sec ret'; CREATE DATABASE wp; "
                 "GRANT ALL ON wp.* TO 'greenpi'@'%'; CREATE TABLE wp.t (i INT)")

    def start(self):
        self.proc = Proc(self.lab.ns, self.argv, os.path.join(self.dir, "log"))
        wait_until(self.answers, 30, "MariaDB to answer")

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.sock) == 0

    def sql(self, text):
        return subprocess.run(["mariadb", "--no-defaults", "-uroot", "--socket=" + self.sock, "-N", "-e", text],
                              check=True, capture_output=True, timeout=20, text=True).stdout

    def stop(self):
        self.proc.stop(20)


@pytest.fixture
def database(lab):
    db = MariaDb(lab)
    yield db
    db.proc.kill()


class FakeDatabase(threading.Thread):
    """Speaks a server's half of the protocol on 127.0.0.1, each packet's head and body apart.

    plugin: it answers the login with a request for that plugin; error: with an error of that text.
    .got: what clients said, .after: of it what they said after the request for another plugin.
    """

    def __init__(self, lab, port, version=b"5.5.5-10.11", error=None, plugin=None):
        super().__init__(daemon=True)
        self.version, self.error, self.plugin = version, error, plugin
        self.got, self.after = [], []
        self.listener = lab.ns.socket()
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(16)
        self.start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            with s, s.makefile("rb") as f:
                s.settimeout(2)
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    self.serve(s, f)
                except OSError:
                    pass

    def send(self, s, number, body):
        s.sendall(len(body).to_bytes(3, "little") + bytes([number]))
        s.sendall(body)

    def receive(self, f):
        head = f.read(4)
        body = f.read(int.from_bytes(head[:3], "little")) if len(head) == 4 else b""
        if body:
            self.got.append(body)
        return body

    def serve(self, s, f):
        self.send(s, 0, b"\x0a" + self.version + b"\0" + b"\7\0\0\0" + b"12345678\0" + b"\x0f\xa2\x21\2\0\x08\0\x15" +
                  b"\0" * 10 + b"123456789012\0" + b"mysql_native_password\0")
        assert self.receive(f)
        if self.plugin:
            self.send(s, 2, b"\xfe" + self.plugin + b"\0" + b"12345678901234567890\0")
            answer = self.receive(f)
            if answer:
                self.after.append(answer)
                self.send(s, 4, b"\1\4")  # of caching_sha2_password: now the whole login, please
                self.after.append(self.receive(f))
        elif self.error is not None:
            self.send(s, 2, b"\xff\x15\4#28000" + self.error)
        else:
            self.send(s, 2, b"\0\0\0\2\0\0\0")
            self.receive(f)
            column = b"\3def\0\0\0\x011\0\x0c\x3f\0\1\0\0\0\x08\x81\0\0\0\0"
            for n, body in enumerate((b"\1", column, b"\xfe\0\0\2\0", b"\x011", b"\xfe\0\0\2\0"), 1):
                self.send(s, n, body)
            self.receive(f)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join()


LOGIN = "user = greenpi\npassword = sec ret\ndatabase = wp\n"


def test_a_database_is_asked_by_login_and_query(lab, database):
    d = lab.healthd(
        check("good", "mysql SELECT 1", 3306, LOGIN) +
        check("password", "mysql SELECT 1", 3306, LOGIN.replace("sec ret", "wrong")) +
        check("query", "mysql SELECT no_such FROM t", 3306, LOGIN) +
        check("empty", "mysql SELECT i FROM t", 3306, LOGIN) +
        check("slow", "mysql SELECT SLEEP(2)", 3306, LOGIN) +
        check("refused", "mysql SELECT 1", 3307, LOGIN))
    v = wait_state(d, "check/good", "up")
    assert v["result"] == "L7OK" and "MariaDB" in v["reason"]
    for name, result, code, reason in (("password", "L7STS", 1045, "Access denied"),
                                       ("query", "L7STS", 1054, "Unknown column"),
                                       ("empty", "L7STS", 0, "the query gave no row"),
                                       ("slow", "L7TOUT", 0, "no answer within 300 ms"),
                                       ("refused", "L4CON", 2002, "cannot connect")):
        v = wait_state(d, "check/" + name, "down")
        assert (v["result"], v["code"]) == (result, code) and v["reason"].startswith(reason), (name, v)
    database.sql("INSERT INTO wp.t VALUES (1)")
    wait_state(d, "check/empty", "up")
    assert int(database.sql("SHOW GLOBAL STATUS LIKE 'Threads_connected'").split()[1]) < 10
    assert "sec ret" not in d.output() + d.ask("state") + once("healthd", "-T", "-c", d.conf).stdout


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog", b"sha256_password", b"caching_sha2_password"])
def test_a_database_does_not_get_the_password(lab, plugin):
    fake = FakeDatabase(lab, 3306, plugin=plugin)
    d = lab.healthd(check("db", "mysql SELECT 1", 3306, LOGIN))
    v = wait_state(d, "check/db", "down")
    assert v["result"] == "L7RSP"
    assert v["reason"] == "it asks for a login by another plugin than mysql_native_password,client_ed25519"
    d.stop()
    fake.close()
    assert fake.got and fake.after == []
    assert not [p for p in fake.got if b"sec ret" in p]


def test_a_database_user_may_log_in_by_a_signature(lab, database):
    database.sql("INSTALL SONAME 'auth_ed25519'; CREATE USER 'signer'@'%' IDENTIFIED VIA ed25519 USING "
                 "PASSWORD('sec ret')")
    d = lab.healthd(check("db", "mysql SELECT 1", 3306, "user = signer\npassword = sec ret\n"))
    assert wait_state(d, "check/db", "up")["result"] == "L7OK"


NASTY = b"10\x1b]0;owned\x07\x1b[31m\nserver edges/web9 DOWN forged\n\nstopping\xc2\x9b\xff"
NICE = "10?]0;owned??[31m?server edges/web9 DOWN forged??stopping??"
FORGED = re.compile("\x1b|^server|^stopping|^$", re.M)


def status_of(lab, d):
    """What greenpictl prints, but for its last newline; the other daemons do not run."""
    argv = lab.ns.argv(os.path.join(build_dir(), "greenpictl"), "-r", d.run_dir, "status")
    return subprocess.run(argv, capture_output=True, timeout=20, check=False, text=True).stdout.rstrip("\n")


def test_what_a_database_says_forges_no_line(lab):
    """Neither in the event, nor in the log, a reply, the table, or what greenpictl prints."""
    fake = FakeDatabase(lab, 3306, version=b"5.5.5-" + NASTY)
    d = lab.healthd(check("db", "mysql SELECT 1", 3306, LOGIN))
    assert wait_state(d, "check/db", "up")["reason"] == NICE
    w = d.watch()
    fake.error = NASTY
    assert w.until("check db") == "check db DOWN L7STS " + NICE
    fake.error = None
    assert w.until("check db") == "check db UP L7OK " + NICE
    w.close()
    logged = d.logged("check db is DOWN: L7STS " + NICE, "check db is UP: L7OK " + NICE)
    for said in (logged.rstrip(), d.ask("state").rstrip(), status_of(lab, d)):
        assert NICE in said and not FORGED.search(said)
    d.stop()
    fake.close()


def test_a_table_of_another_process_forges_no_line(lab):
    """Neither what greenpictl reads, nor what the next healthd begins with."""
    o = lab.origin()
    d = lab.healthd(pool(o))
    wait_state(d, "edges/web1", "up")
    d.kill()
    o.behaviour = hang
    with open(d.path("health.shm"), "r+b") as f:
        at = f.read().index(b"status 200")
        f.seek(at)
        f.write(b"\x1b[31m\nserver x")
    said = status_of(lab, d)
    assert "?[31m?server x" in said and not FORGED.search(said)
    d.start()
    said = d.ask("state").rstrip()
    assert "?[31m?server x" in said and not FORGED.search(said)


def test_a_database_that_hangs_dies_and_returns(lab, database):
    d = lab.healthd(check("db", "mysql SELECT 1", 3306, LOGIN))
    wait_state(d, "check/db", "up")
    w = d.watch()
    database.proc.signal(signal.SIGSTOP)
    assert w.until("check db") == "check db DOWN L7TOUT no answer within 300 ms"
    database.proc.signal(signal.SIGCONT)
    assert w.until("check db").startswith("check db UP L7OK")
    database.proc.kill()
    assert w.until("check db").startswith("check db DOWN L")
    database.start()
    assert w.until("check db").startswith("check db UP L7OK")
    w.close()


def test_the_daemon_ends_while_a_database_hangs(lab):
    deaf = lab.ns.socket()
    deaf.bind(("127.0.0.1", 3306))
    deaf.listen(5)
    d = lab.healthd(check("db", "mysql SELECT 1", 3306, LOGIN))
    wait_state(d, "check/db", "down")
    began = time.monotonic()
    d.stop()
    assert time.monotonic() - began < 5
    deaf.close()
