# SPDX-License-Identifier: MIT
"""The four boards together, with conf/greenpi.conf as it stands: what the cluster is for."""

import threading
import time

import pytest

from lab import shm
from lab.client import Client, Load, at_once
from lab.cluster import VIP
from lab.daemon import once
from lab.wait import stays, wait_until

COOKIES = ["app1inst1", "app1inst2", "app1inst3", "app1inst4"]


def verdicts(board):
    """What board's healthd says: {server: state}."""
    table = shm.health(board.healthd.path("health.shm"))
    return {name.removeprefix("edges/"): v["state"] for name, v in table.items() if "/web" in name}


def all_up(board):
    return verdicts(board) == {f"web{i}": "up" for i in range(1, 5)}


def pin(number):
    """The header of a visitor that belongs to a board already."""
    return {"Cookie": f"SERVERID=app1inst{number}"}


def origin_counts(cluster, target):
    return [board.origin.count(target) for board in cluster]


def must_share(cluster, cookies):
    """New visitors go to all of these servers and to no other, whatever load runs beside them."""
    given = set()

    def shared():
        given.add(cluster.web().get("/").cookies()["SERVERID"])
        assert given <= cookies, f"{given - cookies} should get no new visitor"
        return given == cookies
    wait_until(shared, 10, f"new visitors on each of {sorted(cookies)}")


def without_server(conf, name):
    """The configuration without one [server] section."""
    sections = conf.split("\n[")
    kept = [s for s in sections if not s.startswith(f"server {name}]")]
    assert len(kept) == len(sections) - 1
    return "\n[".join(kept)


# -- the daily work

def test_2000_requests_by_ab(cluster):
    report = cluster.client_run("ab", "-q", "-n", "2000", "-c", "100", f"http://{VIP}/")
    figures = dict(line.split(":", 1) for line in report.splitlines() if ":" in line)
    assert figures["Complete requests"].strip() == "2000", report
    assert figures["Failed requests"].strip() == "0" and "Non-2xx responses" not in figures, report
    assert cluster.hits() < 100


def test_the_second_request_is_a_hit(cluster):
    visitor, target = cluster.web().browser(), "/t/page?cc=max-age%3D60"
    first, second = visitor.get(target), visitor.get(target)
    assert first.status == second.status == 200 and first.body == second.body
    assert "SERVERID" in first.cookies() and "SERVERID" not in second.cookies()
    assert int(second.header("Age")) in range(0, 10)
    assert sum(origin_counts(cluster, target)) == 1


def test_fifty_parallel_misses_cost_one(cluster):
    target = "/t/slow?sleep=0.5&cc=max-age%3D60"
    answers = cluster.web().parallel(50, target, headers=pin(2))
    assert [a.status for a in answers] == [200] * 50
    assert {a.body for a in answers} == {b"GreenPi-2 /t/slow\n"}
    assert origin_counts(cluster, target) == [0, 1, 0, 0]


def test_a_browser_is_pinned_and_others_are_spread(cluster):
    visitor = cluster.web().browser()
    mine = visitor.get("/t/who?cc=no-store").header("X-Origin")
    assert visitor.jar["SERVERID"] == "app1inst" + mine[-1]
    assert {visitor.get("/t/who?cc=no-store").header("X-Origin") for _ in range(6)} == {mine}
    given = [cluster.web().get("/").cookies()["SERVERID"] for _ in range(8)]
    start = COOKIES.index(given[0])
    assert given == (COOKIES[start:] + COOKIES[:start]) * 2


def test_the_origin_learns_the_clients_address(cluster):
    cluster.web().get("/t/whence?cc=no-store", headers=pin(3))
    seen = [r for r in cluster[3].origin.record()["received"] if "/t/whence" in r]
    assert len(seen) == 1 and "x-forwarded-for: 192.168.1.10" in seen[0].lower()
    assert "SERVERID" not in seen[0]


def test_a_visitor_makes_no_page_for_others(cluster):
    """edged believes lbd's fields about the visitor; the visitor's own are believed by no daemon."""
    lies = {"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1",
            "X-Original-URL": "/evil", "X-HTTP-Method-Override": "HEAD", "Forwarded": "host=evil.test"}
    target = "/t/mine?cc=max-age%3D60"
    for name, value in lies.items():
        assert cluster.web().get(target, headers={**pin(2), name: value}).status == 200
    seen = [r.lower() for r in cluster[2].origin.record()["received"] if "/t/mine" in r]
    assert len(seen) == 1 and seen[0].count("/t/mine") == 1 and "evil" not in seen[0]
    assert "x-forwarded-host: greenpi.test\r\n" in seen[0] and "x-forwarded-proto: http\r\n" in seen[0]
    assert "x-forwarded-for: 192.168.1.10\r\n" in seen[0] and "x-forwarded-for: 127.0.0.1" not in seen[0]


def test_the_status_page_wants_its_password(cluster):
    page = cluster.web(port=81)
    assert page.get("/haproxy?stats").status == 401
    right = {"Authorization": "Basic YWRtaW46cGFzc3dvcmQ="}
    body = page.get("/haproxy?stats", headers=right).body.decode()
    assert all(f"web{i}" in body for i in range(1, 5))


# -- when something dies

def test_a_killed_edge_costs_no_request(cluster):
    master = cluster.holder()
    victim = next(b for b in cluster if b is not master)
    wait_until(lambda: all_up(master), 20)
    pinned = cluster.web().browser()
    pinned.jar["SERVERID"] = victim.cookie
    assert pinned.get("/t/me?cc=no-store").header("X-Origin") == victim.name
    loads = [Load(cluster.web(), ["/", "/boards.html"], threads=2),
             Load(cluster.web(), ["/"], threads=2, headers=pin(victim.number)),
             Load(cluster.web(), ["/"], threads=2, keep=False)]
    wait_until(lambda: all(load.done > 20 for load in loads))
    victim.edged.kill()
    wait_until(lambda: verdicts(master)[f"web{victim.number}"] == "down", 20)
    assert [load.stop().failures for load in loads] == [[], [], []]
    moved = pinned.get("/t/me?cc=no-store")
    assert moved.status == 200 and moved.header("X-Origin") != victim.name
    assert pinned.jar["SERVERID"] == "app1inst" + moved.header("X-Origin")[-1]
    assert pinned.get("/t/me?cc=no-store").header("X-Origin") == moved.header("X-Origin")


def test_a_killed_edge_comes_back_into_the_turn(cluster):
    master = cluster.holder()
    victim = next(b for b in cluster if b is not master)
    wait_until(lambda: all_up(master), 20)
    victim.edged.kill()
    wait_until(lambda: verdicts(master)[f"web{victim.number}"] == "down", 20)
    assert victim.cookie not in {cluster.web().get("/").cookies()["SERVERID"] for _ in range(8)}
    victim.start("edged")
    wait_until(lambda: all_up(master), 20)
    wait_until(lambda: cluster.web().get("/").cookies()["SERVERID"] == victim.cookie, 5)


def test_a_killed_balancer_gives_the_address_away_at_once(cluster):
    master = cluster.holder()
    start = time.monotonic()
    master.lbd.kill()
    new = cluster.wait_holder(5, other_than=master)
    took = time.monotonic() - start
    assert took < 1, f"{took:.3f} s"
    wait_until(cluster.served, 2)
    assert cluster.arp_owners() == {cluster.mac(new)} and not master.holds_vip()


def test_a_power_cut_of_the_master(cluster):
    master = cluster.holder()
    start = time.monotonic()
    master.power_cut()
    new = cluster.wait_holder(10, other_than=master)
    took = time.monotonic() - start
    assert took < 4, f"{took:.3f} s"
    assert cluster.arp_owners() == {cluster.mac(new)}
    # Until healthd says so the dead board is a server: a request may wait out connect-timeout.
    assert cluster.web(timeout=3).get("/").status == 200
    master.power_on()
    wait_until(lambda: len(cluster.holders()) == 1, 15)
    stays(lambda: len(cluster.arp_owners()) == 1, 3, "one owner of the address")


def test_a_dead_board_costs_its_visitors_seconds(cluster):
    """Requests on their way to it over idle connections, too: GETs go to another board, also for pinned visitors."""
    master = cluster.holder()
    dead = next(b for b in cluster if b is not master)
    for _ in range(3):
        assert at_once(8, lambda i: cluster.web().get("/", headers=pin(i % 4 + 1)).status) == [200] * 8
    dead.power_cut()
    start = time.monotonic()
    answers = at_once(8, lambda i: cluster.web(timeout=20).get("/", headers=pin(i % 4 + 1)).status)
    took = time.monotonic() - start
    assert answers == [200] * 8
    assert took < 6, f"{took:.2f} s"


@pytest.mark.parametrize("method, body, status", [("GET", None, 200), ("POST", b"form=1", 502)])
def test_a_board_that_dies_with_a_request_costs_seconds(cluster, method, body, status):
    """It had taken the request, so nothing is sent again; probes find that it is gone."""
    master = cluster.holder()
    dead = next(b for b in cluster if b is not master)
    target = "/t/think?sleep=20&cc=no-store" if method == "POST" else "/t/think?sleep=2&cc=no-store"
    answers = []
    asker = threading.Thread(target=lambda: answers.append(
        cluster.web(timeout=20).ask(target, method, headers=pin(dead.number), body=body)))
    start = time.monotonic()
    asker.start()
    wait_until(lambda: dead.origin.count(target) == 1, 5)
    dead.power_cut()
    asker.join()
    took = time.monotonic() - start
    assert answers[0].status == status
    assert took < 10, f"{took:.2f} s"


def test_strangers_do_not_purge_through_the_shared_address(cluster):
    first = cluster.web().get("/")
    holder = cluster.holder()
    cookie = {"Cookie": f"SERVERID={first.cookies()['SERVERID']}"}
    for lie in ({}, {"X-Forwarded-For": "127.0.0.1"}):
        assert cluster.web().ask("/", "PURGE", headers={**cookie, **lie}).status == 403
    assert cluster.web().get("/", headers=cookie).header("Cache-Status").startswith("edged; hit")
    from_a_board = Client(cluster[1].ns if holder is not cluster[1] else cluster[2].ns, (VIP, 80))
    assert from_a_board.ask("/", "PURGE", headers=cookie, host=VIP).status == 200


def test_a_cut_cable_of_the_master_and_its_return(cluster):
    master = cluster.holder()
    cluster.switch.cut(master.ns)
    new = cluster.wait_holder(6, other_than=master)
    wait_until(lambda: not master.holds_vip(), 6, "a board without a cable lets the address go")
    cluster.switch.mend(master.ns)
    wait_until(lambda: len(cluster.holders()) == 1 and cluster.served(), 10)
    stays(lambda: len(cluster.arp_owners()) <= 1, 3, "never two owners")
    assert new.powered()


def test_a_killed_vipd_leaves_no_second_owner(cluster):
    master = cluster.holder()
    addresses = master.ns.ip_json("-4", "addr", "show", "dev", "eth0")[0]["addr_info"]
    vip = next(a for a in addresses if a["local"] == VIP)
    lifetime = vip["valid_life_time"]
    assert lifetime <= 10 and vip["label"].startswith("eth0:")
    start = time.monotonic()
    master.vipd.kill()
    wait_until(lambda: not master.holds_vip(), lifetime + 2, "the kernel drops the address")
    assert time.monotonic() - start <= lifetime + 1
    new = cluster.wait_holder(10, other_than=master)
    wait_until(cluster.served, 5)
    assert cluster.arp_owners() == {cluster.mac(new)}
    master.start("vipd")
    wait_until(lambda: len(cluster.holders()) == 1, 10)
    stays(lambda: len(cluster.arp_owners()) == 1, 3, "one owner of the address")


def test_a_planned_stop_of_the_master_is_not_felt(cluster):
    master = cluster.holder()
    master.vipd.stop()
    new = cluster.wait_holder(3, other_than=master)
    wait_until(cluster.served, 2)
    assert cluster.arp_owners() == {cluster.mac(new)}


# -- configuration

def test_reload_under_load_with_another_server_list(cluster):
    master = cluster.holder()
    wait_until(lambda: all_up(master), 20)
    conf = open(master.conf, encoding="utf-8").read()
    loads = [Load(cluster.web(), threads=3), Load(cluster.web(), threads=3, keep=False)]
    for generation, text in enumerate([without_server(conf, "web2"), conf,
                                       without_server(conf, "web3"), conf], 2):
        before = [load.done for load in loads]
        master.lbd.write_conf(text)
        master.lbd.reload()
        wait_until(lambda: f"configuration {generation} is active" in master.lbd.output())
        wait_until(lambda: all(l.done > b + 10 for l, b in zip(loads, before)))
        gone = [c for c in COOKIES if f"cookie  = {c}" not in text]
        must_share(cluster, set(COOKIES) - set(gone))
    assert [load.stop().failures for load in loads] == [[], []]


BROKEN = {"bind = 192.168.1.170:80": "bind = 192.168.1.170:eighty",
          "retries = 3": "retries = 99",
          "balance = roundrobin": "ballance = roundrobin"}


def test_a_broken_configuration_is_refused_and_changes_nothing(cluster):
    master = cluster.holder()
    good = open(master.conf, encoding="utf-8").read().splitlines()
    bad, wrong = [], []
    for number, line in enumerate(good, 1):
        swap = BROKEN.get(" ".join(line.split()))
        bad.append(swap or line)
        if swap:
            wrong.append(f"greenpi.conf:{number}: {swap.split()[0]}")
    assert len(wrong) == len(BROKEN)
    master.lbd.write_conf("\n".join(bad) + "\n")
    before = len(master.lbd.output())
    check = once("lbd", "-c", master.conf, "-t", ns=master.ns)
    assert check.returncode != 0 and all(w in check.stderr + check.stdout for w in wrong)
    assert "balance" in check.stderr + check.stdout  # what was meant by ballance
    master.lbd.reload()
    wait_until(lambda: "is refused" in master.lbd.output()[before:])
    assert all(w in master.lbd.output()[before:] for w in wrong)
    assert cluster.served() and cluster.holder() is master
    master.lbd.write_conf("\n".join(good) + "\n")
    master.lbd.reload()
    wait_until(lambda: "is active" in master.lbd.output()[before:])


# -- each daemon goes on without the others

def test_without_healthd_the_verdicts_stay_and_grow_stale(cluster):
    master = cluster.holder()
    victim = next(b for b in cluster if b is not master)
    wait_until(lambda: all_up(master), 20)
    victim.edged.kill()
    wait_until(lambda: verdicts(master)[f"web{victim.number}"] == "down", 20)
    load = Load(cluster.web(), ["/"], threads=2, keep=False)
    wait_until(lambda: load.done > 20)
    known = verdicts(master)
    master.healthd.kill()
    wait_until(lambda: "stale" in master.lbd.ask("state"), 8, "the verdicts are marked stale")
    assert verdicts(master) == known
    must_share(cluster, set(COOKIES) - {victim.cookie})
    assert load.stop().failures == []
    master.start("healthd")
    wait_until(lambda: "fresh" in master.lbd.ask("state"), 8)


@pytest.mark.parametrize("name", ["healthd", "edged"])
def test_a_crashed_daemon_is_back_by_itself(cluster, name):
    board = cluster.holder()
    load = Load(cluster.web(), ["/"], threads=2)
    wait_until(lambda: load.done > 20)
    board.daemons[name].crash()
    before = load.done
    wait_until(lambda: load.done > before + 20)
    assert load.stop().failures == [] and cluster.holder() is board
