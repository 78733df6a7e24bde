# SPDX-License-Identifier: MIT
"""The log never stands in the way: readers of standard output and error that stop, and what then becomes of lines."""
import contextlib
import fcntl
import os
import re
import time

import pytest

from lab.lab import edged_conf, lbd_conf
from lab.origin import reply
from lab.wait import wait_until

PIPE_SIZE = 65536
LONG = "/" + "x" * 400


class Pipe:
    """A pipe that is read when the test says so. What was read is in .text."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.reader, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        os.set_blocking(self.reader, False)
        self.text = ""

    def fill(self):
        """With empty lines: no write succeeds until it is read."""
        os.set_blocking(self.writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.writer, b"\n" * 4096)
        os.set_blocking(self.writer, True)

    def read(self):
        """All that is there now."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.reader, 1 << 20):
                self.text += data.decode()
        return self.text

    def reads(self, part, deadline=5):
        wait_until(lambda: part in self.read(), deadline, f"{part!r} comes through the pipe")
        return self.text

    def close(self):
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def pipe():
    p = Pipe()
    yield p
    p.close()


@pytest.fixture
def other_pipe():
    p = Pipe()
    yield p
    p.close()


def started(daemon, out, err):
    daemon.out = (out.writer, err.writer)
    return daemon.start()


def balancer(lab, out, err, **kw):
    lb = lab.lbd([lab.origin(reply(200, b"x"))], start=False, extra="[lb]\nworkers = 2\n", **kw)
    return started(lb, out, err)


def ask_until_dropped(lb):
    """Requests, of which every one is answered, until the pipe and a ring are full and lines are dropped."""
    with lb.conn() as c:
        for n in range(20000):
            assert c.ask(LONG).status == 200
            if n % 500 == 499 and lb.counter("log_dropped"):
                return n + 1
    raise AssertionError("nothing was dropped")


def ends_within(daemon, seconds):
    start = time.monotonic()
    daemon.stop()
    assert time.monotonic() - start < seconds


# -- a reader that stops

def test_requests_go_on_while_the_log_is_not_read(lab, pipe):
    lb = balancer(lab, pipe, pipe)
    ask_until_dropped(lb)
    before = lb.counter("log_dropped")
    with lb.conn() as c:
        for _ in range(200):
            assert c.ask(LONG).status == 200
    wait_until(lambda: lb.counter("log_dropped") > before)
    ends_within(lb, 2)


CONFS = {"lbd": lbd_conf([("127.0.0.1", 7001)]), "edged": edged_conf(("127.0.0.1", 7001)),
         "vipd": "[board b1]\naddress = 127.0.0.1\n", "healthd": lbd_conf([("127.0.0.1", 7001)])}


@pytest.mark.parametrize("name", CONFS)
def test_a_daemon_whose_log_is_not_read_starts_reloads_and_ends(lab, pipe, name):
    pipe.fill()
    d = started(lab.daemon(name, CONFS[name], start=False), pipe, pipe)
    assert "done" in d.tell("reload")
    ends_within(d, 2)


def left_out(pipe):
    return sum(int(n) for n in re.findall(r"(\d+) lines were left out: the log was not read in time", pipe.read()))


def test_what_was_left_out_is_told_once_the_log_is_read(lab, pipe):
    pipe.fill()
    lb = balancer(lab, pipe, pipe)
    asked = ask_until_dropped(lb)
    pipe.reads("the log was not read in time")
    # One line as a rule; the last request's worker may have dropped its line, and not yet counted it, just then.
    wait_until(lambda: pipe.read().count('"GET /xxx') == asked - left_out(pipe), 10, "every line is there or counted")
    wait_until(lambda: lb.counter("log_dropped") == left_out(pipe), 10)
    assert all(line.endswith(' HTTP/1.1"') for line in pipe.text.splitlines() if "GET" in line)
    # And now lines come again.
    assert lb.get("/fresh").status == 200
    pipe.reads("GET /fresh")
    lb.stop()
    assert "ended" in pipe.read()


def test_messages_come_though_the_access_log_stands(lab, pipe, other_pipe):
    lb = balancer(lab, pipe, other_pipe)
    ask_until_dropped(lb)
    lb.tell("disable server p/s1")
    other_pipe.reads("server p/s1 is MAINT by the operator")
    ends_within(lb, 2)
    assert "ended" in other_pipe.read() and "ended" not in pipe.read()


def test_a_reader_that_went_away_hurts_nobody(lab, pipe):
    lb = balancer(lab, pipe, pipe)
    os.close(pipe.reader)
    pipe.reader = os.open("/dev/null", os.O_RDONLY)
    os.close(pipe.writer)
    pipe.writer = os.open("/dev/null", os.O_RDONLY)
    with lb.conn() as c:
        assert {c.ask(LONG).status for _ in range(100)} == {200}
    wait_until(lambda: lb.counter("log_dropped") >= 100)
    ends_within(lb, 2)


# -- state changes

def many(n):
    """healthd and lbd of n servers on one port."""
    servers = "".join(f"[server s{i}]\npool = p\naddress = 127.0.0.{i + 1}:7001\n" for i in range(n))
    return ("[frontend web]\nbind = 127.0.0.1:80\npool = p\n[pool p]\ncheck = tcp\ninter = 200ms\nfall = 1\n"
            f"rise = 1\nfastinter = 200ms\n{servers}")


def test_forty_servers_that_go_down_make_forty_lines(lab):
    o = lab.origin(reply(200, b"x"), port=7001, host="0.0.0.0")
    conf = many(40)
    h = lab.healthd(conf)
    lb = lab.daemon("lbd", conf)
    wait_until(lambda: lb.tell("servers").count(" UP ") == 40 and h.tell("state").count(" UP ") == 40, 10)
    o.close()
    lab.origins.remove(o)
    wait_until(lambda: lb.tell("servers").count(" DOWN ") == 40, 10)
    for d in (h, lb):
        lines = d.logged(*(f"server p/s{i} is DOWN" for i in range(40)))
        assert lines.count("is DOWN") == 40 and "left out" not in lines


def test_what_a_noisy_place_left_out_is_told_by_time(lab):
    lb = lab.lbd([lab.origin(reply(200, b"x"))])
    for _ in range(30):
        assert lb.say(b"nonsense\r\n\r\n").status == 400
    told = [line for line in lb.logged("more lines like", deadline=10).splitlines() if "more lines like" in line]
    assert "400 " in told[0] and "were left out" in told[0]
    said = [line for line in lb.output().splitlines() if " conn " in line and "more lines like" not in line]
    assert len(said) + int(told[0].split(" more lines")[0].split()[-1]) == 30
