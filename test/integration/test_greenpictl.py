# SPDX-License-Identifier: MIT
"""The operator's tool beside the real daemons of a board: what it says, and its exit status."""

import csv
import io
import json
import os
import signal
import subprocess

import pytest

from lab.client import Load
from lab.daemon import binary, once
from lab.wait import wait_until

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONF = os.path.join(REPO, "conf", "greenpi.conf")


def ctl(board, *words):
    return once("greenpictl", "-r", board.run_dir, *words, ns=board.ns)


def status(board):
    return json.loads(ctl(board, "status", "json").stdout)


# -- status

def test_status_of_a_healthy_board(cluster):
    board = cluster[2]
    wait_until(lambda: {t["state"] for t in status(board)["targets"]} == {"up"}, 15, "all targets up")
    for _ in range(4):
        cluster.web().get("/")
    load = Load(cluster.web(), threads=2)
    said = ctl(cluster.holder(), "status")
    seen = status(cluster.holder())
    load.stop()
    assert said.returncode == 0 and said.stderr == ""
    for word in ("lbd 0.1", "vipd 0.1", "edged 0.1", "healthd 0.1", "requests/s", "hit ratio", "verdicts: fresh",
                 "edges/web1", "master"):
        assert word in said.stdout, f"{word!r} is not in\n{said.stdout}"
    assert all(d["running"] for d in seen["daemons"].values()) and len(seen["daemons"]) == 4
    assert seen["daemons"]["lbd"]["requests_per_second"] > 1
    assert seen["verdicts"] == "fresh"
    assert {"edges/web1", "edges/web2", "edges/web3", "edges/web4"} <= {t["name"] for t in seen["targets"]}
    # Every board names the same master: the one that has the address.
    assert {status(b)["vrrp"]["instances"][0]["master"] for b in cluster} == {cluster.holder().address}


def test_status_says_what_is_wrong(cluster):
    board = cluster[1]
    wait_until(lambda: status(board)["targets"], 15, "there are verdicts")
    cluster[3].edged.kill()
    wait_until(lambda: {t["name"]: t["state"] for t in status(board)["targets"]}["edges/web3"] == "down", 15)
    (down,) = [t for t in status(board)["targets"] if t["name"] == "edges/web3"]
    assert "refused" in (down["reason"] + down["result"]).lower()
    board.edged.kill()
    board.healthd.kill()
    said = ctl(board, "status")
    assert said.returncode == 1
    assert "edged is not running: " in said.stdout and "healthd is not running: " in said.stdout
    wait_until(lambda: status(board)["verdicts"] == "stale", 10)
    seen = status(board)
    assert [n for n, d in seen["daemons"].items() if not d["running"]] == ["edged", "healthd"]


def test_status_of_a_board_without_daemons(cluster_of):
    board = cluster_of()[1]
    said = ctl(board, "status")
    assert said.returncode == 1 and said.stdout.count("is not running") == 4 and "verdicts: none" in said.stdout
    assert status(board)["vrrp"] is None


def test_a_daemon_that_hangs_is_told_apart(lab):
    lb = lab.lbd([lab.origin()])
    lb.freeze()
    try:
        said = once("greenpictl", "-r", lb.run_dir, "status", ns=lab.ns)
    finally:
        lb.thaw()
    assert said.returncode == 1 and "lbd is not running: " in said.stdout


# -- check

def test_check_of_a_good_file(lab):
    lab.add_address("192.168.1.171")
    said = once("greenpictl", "check", CONF, ns=lab.ns)
    assert said.returncode == 0, said.stdout + said.stderr


def test_check_tells_each_error_once(lab):
    lab.add_address("192.168.1.171")
    path = os.path.join(lab.dir, "broken.conf")
    with open(CONF, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write("[board GreenPi-1]\naddres = 192.168.1.171\n[edeg]\n[edge]\nmemory = much\n[pool p]\ncookie = a b c\n"
                + text.replace("[board GreenPi-1]", "[board GreenPi-9]").replace("[edge]", "[lb]"))
    said = once("greenpictl", "check", path, ns=lab.ns)
    out = said.stdout + said.stderr
    assert said.returncode == 1
    assert out.count(f"{path}:2: ") == 1 and "did you mean" in out
    assert out.count(f"{path}:3: ") == 1 and out.count(f"{path}:5: ") == 1


def test_check_of_no_file(lab):
    said = once("greenpictl", "check", "/nonexistent.conf", ns=lab.ns)
    assert said.returncode == 1 and "/nonexistent.conf" in said.stdout + said.stderr


# -- ask, counters, events

def test_ask_and_counters(lab):
    lb = lab.lbd([lab.origin()])
    lb.get("/")

    def run(*words):
        return once("greenpictl", "-r", lb.run_dir, *words, ns=lab.ns)
    assert "MAINT" in run("ask", "lbd", "disable", "server", "p/s1").stdout
    assert "MAINT" in run("ask", "lbd", "servers").stdout
    refused = run("ask", "lbd", "disable", "server", "p/nobody")
    assert refused.returncode == 1 and "no server" in refused.stdout + refused.stderr
    assert json.loads(run("counters", "lbd", "json").stdout)["process"]["requests"] == 1
    lb.kill()
    assert run("ask", "lbd", "version").returncode == 1
    assert "process requests 1\n" in run("counters", "lbd").stdout  # what they had reached
    assert run("counters", "edged").returncode == 1


def test_counters_of_every_daemon(cluster):
    board = cluster.holder()
    cluster.web().get("/")
    for name in ("vipd", "lbd", "edged", "healthd"):
        def run(*words):
            said = ctl(board, "counters", *words)
            assert said.returncode == 0 and said.stderr == "", said.stderr
            return said.stdout
        told = json.loads(run(name, "json"))
        lines = [line.split(" ") for line in run(name).splitlines()]
        rows = list(csv.DictReader(io.StringIO(run(name, "csv"))))
        flat = [(kind, counter) for kind, objects in told.items()
                for o in ([objects] if kind == "process" else objects.values()) for counter in o]
        assert [(words[0], words[-2]) for words in lines] == flat
        assert [(r["object"].split(" ")[0], r["name"]) for r in rows] == flat
        assert set(told["process"]) == set(json.loads(run(name, "process", "json"))["process"])
        assert set(json.loads(ctl(board, "ask", name, "stats", "json").stdout)["process"]) == set(told["process"])
        verbose = run("-v", name, "process").splitlines()
        assert all(len(line.split("  ", 1)[1]) > 8 for line in verbose), "each has its prose"
        assert ctl(board, "ask", name, "stats").stdout.splitlines()[0].startswith("process ")
    refused = ctl(board, "counters", "lbd", "nothing")
    assert refused.returncode == 1 and 'no kind of counters "nothing"' in refused.stderr


def test_the_usage_has_every_command():
    said = once("greenpictl", "-h")
    assert said.returncode == 0
    for command in ("status [json]", "check [FILE]", "events", "counters [-v] DAEMON [KIND[/NAME]] [json|csv]",
                    "ask DAEMON COMMAND..."):
        assert f"\n  {command} " in said.stdout
    assert "DAEMON is one of vipd, lbd, edged, healthd.\n" in said.stdout


@pytest.mark.parametrize("words", [(), ("frobnicate",), ("ask",), ("ask", "lbd"), ("ask", "httpd", "x"), ("counters",), ("counters", "-v"),
                                   ("counters", "lbd", "process", "xml"), ("counters", "httpd"),
                                   ("status", "yaml"), ("-x", "status"), ("check", "a", "b")])
def test_a_wrong_command_line_is_2_and_the_usage(lab, words):
    said = once("greenpictl", *words, ns=lab.ns)
    assert said.returncode == 2 and "usage: greenpictl" in said.stderr


def test_events_of_all_daemons_as_they_come(lab):
    lb = lab.lbd([lab.origin()])
    tool = subprocess.Popen(lab.ns.argv(binary("greenpictl"), "-r", lb.run_dir, "events"), stdout=subprocess.PIPE,
                            text=True)
    try:
        seen = []

        def until(part):
            while part not in (line := tool.stdout.readline()):
                assert line, f"the events ended without {part!r}: {seen}"
                seen.append(line)
            return line
        until("lbd")
        lb.tell("disable server p/s1")
        assert "lbd" in until("p/s1")
        e = lab.edged(lab.origin())
        until("edged")
        e.kill()
        until("edged")
    finally:
        tool.send_signal(signal.SIGINT)
        assert tool.wait(10) in (0, -signal.SIGINT)
        tool.stdout.close()
