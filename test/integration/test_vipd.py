# SPDX-License-Identifier: MIT
"""vipd on real interfaces: four boards on a switch elect one holder of the address, and whatever dies,
hangs or is pulled out, another one holds it in time. The figures are those of the old set-up with
VRRP version 2, adverts every second and priority 101 everywhere.
"""

import os
import re
import shutil
import socket
import time

import pytest

from lab.client import at_once
from lab.cluster import VIP
from lab.daemon import REPO, once
from lab.netns import cable
from lab.vrrp import Ear, Keepalived, Leash, Prober, advert, forge
from lab.wait import stays, wait_until

BOARDS = "".join(f"[board GreenPi-{i}]\naddress = 192.168.1.{170 + i}\n\n" for i in range(1, 5))
FAST = {"version": 3, "advert_int": "100ms", "lifetime": "1s", "handover": "300ms"}  # where the figures do not matter


def conf(extra="", boards=BOARDS, **keys):
    """The post's instance, with some keys changed; `lifetime` and the rest as vipd has them."""
    keys = {"interface": "eth0", "virtual_router_id": 51, "priority": 101, "address": VIP, **keys}
    return boards + "[vrrp VI_1]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) + extra


class Vips:
    """The cluster with vipd alone, all on one configuration."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.boards = cluster.boards
        self.leashes = {}
        self.ear = Ear(cluster.client_ns)

    def configure(self, board, text):
        with open(board.conf, "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, *numbers, text=None, **keys):
        """Start vipd on these boards (all when none is given), as nearly at once as it gets."""
        boards = [self.cluster[n] for n in numbers] or self.boards
        for b in boards:
            self.configure(b, text or conf(**keys))
            b.start("vipd", wait=False)
        for b in boards:
            b.vipd.wait_ready()
        return self

    def leash(self, board):
        """A stand-in for lbd on that board, alive."""
        self.leashes[board] = Leash(board.run_dir).live()
        return self.leashes[board]

    def state(self, board):
        return board.vipd.ask_json("state")["instances"][0]

    def is_in(self, board, state, deadline=6.0):
        return wait_until(lambda: self.state(board)["state"] == state, deadline, f"{board} is {state}")

    def holder(self, deadline=6.0, other_than=None):
        def one():
            now = [b for b in self.cluster.holders() if b is not other_than]
            return now[0] if len(now) == 1 else None
        return wait_until(one, deadline, "one board holds the VIP")

    def only(self, board):
        """Exactly this board has the address, and it alone answers for it."""
        assert self.cluster.holders() == [board]
        assert self.cluster.arp_owners() == {self.cluster.mac(board)}

    def close(self):
        """End all vipds side by side, since each waits for a successor."""
        self.ear.close()
        running = [b.vipd for b in self.boards if "vipd" in b.daemons and b.vipd.running()]
        for result in at_once(len(running), lambda i: running[i].stop()) if running else ():
            assert result is None
        for leash in self.leashes.values():
            leash.die()


@pytest.fixture
def vips(cluster_of):
    v = Vips(cluster_of("vipd"))
    yield v
    v.close()


def addresses(board):
    """The IPv4 addresses of eth0 as ip shows them."""
    return board.ns.ip_json("-4", "addr", "show", "dev", "eth0")[0]["addr_info"]


# ---- election, and what a holder looks like


def test_equals_elect_one_by_address_without_a_conflict(vips):
    vips.start()

    def all_hear_another():
        forge(vips.cluster.client_ns, advert("192.168.1.10", 200))
        return all(vips.state(b)["master"] == "192.168.1.10" for b in vips.boards)
    wait_until(all_hear_another, 3)  # the silence after that one's last advert begins for all at once
    holder = vips.holder()
    assert holder is vips.cluster[4]  # the highest address
    vips.only(holder)
    for board in vips.boards[:3]:
        assert vips.state(board)["state"] == "BACKUP"
        assert vips.state(board)["master"] == holder.address
        assert board.vipd.counter("became_master") == 0
    assert holder.vipd.counter("became_master") == 1
    assert holder.vipd.counter("masters") == 1


def test_the_address_is_an_alias_with_a_lease(vips):
    vips.start(1)
    board = vips.holder()
    vip = [a for a in addresses(board) if a["local"] == VIP]
    assert len(vip) == 1
    assert vip[0]["label"] == "eth0:0"
    assert vip[0]["prefixlen"] == 32 and vip[0]["noprefixroute"]
    assert 0 < vip[0]["valid_life_time"] <= 2
    stays(board.holds_vip, 4, "the lease is renewed")
    own = [a for a in addresses(board) if a["local"] == board.address]
    assert own[0]["valid_life_time"] > 1000000


def test_adverts_are_keepaliveds_byte_for_byte(vips):
    vips.start(1)
    vips.holder()
    heard = wait_until(lambda: vips.ear.of("192.168.1.171"), 3)[0]
    assert heard.message.hex(" ") == "21 33 65 01 00 01 b7 77 c0 a8 01 aa 00 00 00 00 00 00 00 00"
    assert heard.ip[:2] == b"\x45\xc0" and heard.ip[8] == 255 and heard.ip[6:8] == b"\0\0"
    assert heard.ip[16:20] == socket.inet_aton("224.0.0.18")


def test_the_address_is_announced_in_both_forms(vips):
    vips.start(1, **FAST)
    board = vips.holder()
    wait_until(lambda: len(vips.ear.arps) >= 8, 3)
    first = vips.ear.arps[0][0]
    assert {mac for _, mac, _ in vips.ear.arps} == {vips.cluster.mac(board)}
    assert [op for _, _, op in vips.ear.arps[:8]] == [1, 2] * 4
    at = [t - first for t, _, op in vips.ear.arps[:8] if op == 1]
    assert at[1] < 0.09 and 0.08 < at[2] < 0.5 and 0.9 < at[3] < 2


def test_a_priority_of_the_board_decides(vips):
    boards = BOARDS.replace("171\n", "171\npriority = 104\n")
    vips.start(text=conf(boards=boards))
    assert vips.holder() is vips.cluster[1]
    assert vips.state(vips.cluster[1])["priority"] == 104
    assert vips.state(vips.cluster[2])["priority"] == 101


# ---- what kills a holder


def test_killed_vipd_leaves_an_address_that_goes_by_itself(vips):
    vips.start()
    dead = vips.holder()
    killed = time.monotonic()
    dead.vipd.kill()
    assert dead.holds_vip()
    wait_until(lambda: not dead.holds_vip(), 4, "the lease ends")
    assert time.monotonic() - killed < 3.2
    heir = vips.holder(5)
    assert heir is not dead
    assert time.monotonic() - killed < 4.0
    vips.only(heir)


@pytest.mark.parametrize("fault", ["cut", "blackhole"])
def test_a_board_without_power_is_replaced_in_four_seconds(vips, fault):
    vips.start()
    dead = vips.holder()
    prober = Prober(vips.cluster.client_ns)
    assert prober.answered.wait(2)
    getattr(vips.cluster.switch, fault)(dead.ns)
    heir = vips.holder(6, other_than=dead)
    wait_until(lambda: prober.outages, 2)
    assert prober.stop() < 4.0
    if fault == "cut":
        assert vips.state(dead)["state"] == "FAULT"
        assert vips.state(dead)["fault"] == "the interface has no carrier"
        assert not dead.holds_vip()
    vips.cluster.switch.mend(dead.ns)
    settled = vips.holder(6)
    stays(lambda: vips.cluster.holders() == [settled], 1.5)
    vips.only(settled)
    if fault == "cut":
        assert settled is heir


def test_a_planned_stop_is_not_noticed(vips):
    vips.start()
    old = vips.holder()
    prober = Prober(vips.cluster.client_ns)
    assert prober.answered.wait(2)
    old.vipd.stop()
    heir = vips.holder()
    assert heir is not old
    assert prober.stop() < 0.05
    assert [a["local"] for a in addresses(old)] == [old.address]
    assert len(vips.ear.of(old.address, 0)) == 1
    vips.only(heir)


def test_a_frozen_vipd_wakes_as_backup(vips):
    vips.start(**FAST)
    frozen = vips.holder()
    frozen.vipd.freeze()
    wait_until(lambda: not frozen.holds_vip(), 4, "the lease ends without it")
    heir = vips.holder(5)
    frozen.vipd.thaw()
    vips.is_in(frozen, "BACKUP")
    stays(lambda: vips.cluster.holders() == [heir], 2)
    assert vips.state(heir)["state"] == "MASTER"
    assert heir.vipd.counter("conflicts") == 0


# ---- the leash


def test_a_dead_balancer_moves_the_address_within_a_second(vips):
    for board in vips.boards:
        vips.leash(board)
    vips.start(track="lbd release")
    old = vips.holder()
    assert vips.state(old)["track"] == "alive"
    died = time.monotonic()
    vips.leashes[old].die()
    heir = wait_until(lambda: vips.holder(1, other_than=old), 2)
    assert time.monotonic() - died < 1.0
    assert vips.state(old)["eligible"] is False
    assert len(vips.ear.of(old.address, 0)) == 1
    vips.only(heir)
    vips.leashes[old].live()
    wait_until(lambda: vips.state(old)["eligible"], 3, "the leash is taken up again")
    stays(lambda: vips.cluster.holders() == [heir], 1)


def test_a_restarted_balancer_keeps_the_address(vips):
    for board in vips.boards[:2]:
        vips.leash(board)
    vips.start(1, 2, track="lbd release", **FAST)
    holder = vips.holder()
    leash = vips.leashes[holder]
    leash.say("stopping")
    leash.die()
    leash.live()
    stays(lambda: vips.cluster.holders() == [holder], 2, "its vipd waits for it")
    assert vips.state(holder)["track"] == "alive"


def test_a_stopped_balancer_releases_after_a_moment(vips):
    for board in vips.boards[:2]:
        vips.leash(board)
    vips.start(1, 2, track="lbd release", **FAST)
    holder = vips.holder()
    vips.leashes[holder].say("stopping")
    vips.leashes[holder].die()
    assert vips.holder(3, other_than=holder) is not holder
    assert vips.state(holder)["track"] == "dead"


def test_a_hanging_balancer_is_noticed_by_its_heartbeat(vips):
    for board in vips.boards[:2]:
        vips.leash(board).beat()
    vips.start(1, 2, track="lbd release", **FAST)
    holder = vips.holder()
    stays(holder.holds_vip, 1)
    vips.leashes[holder].stop_beating()
    vips.holder(5.5, other_than=holder)
    holder.vipd.logged("hangs")
    vips.leashes[holder].beat()
    wait_until(lambda: vips.state(holder)["eligible"], 2, "it beats again")


def test_the_real_balancer_is_tracked_in_life_death_and_restart(cluster_of):
    cluster = cluster_of("lbd", "vipd")
    for board in cluster:
        board.start()
    old = wait_until(cluster.holder, 6, "one board holds the VIP")
    stays(old.holds_vip, 1)
    old.lbd.restart()
    stays(old.holds_vip, 2, "a restart moves nothing")
    killed = time.monotonic()
    old.lbd.kill()
    heir = wait_until(lambda: next((b for b in cluster.holders() if b is not old), None), 2)
    assert time.monotonic() - killed < 1.0
    heir.lbd.freeze()
    wait_until(lambda: not heir.holds_vip(), 5, "a hang is noticed")
    heir.lbd.thaw()
    wait_until(lambda: heir.vipd.ask_json("state")["instances"][0]["eligible"], 3)


def test_without_any_balancer_it_is_held_as_the_last_resort(vips):
    leashes = [vips.leash(b) for b in vips.boards[:2]]
    vips.start(1, 2, track="lbd release", **FAST)
    first = vips.holder()
    for leash in leashes:
        leash.die()
    wait_until(lambda: vips.state(first)["eligible"] is False, 1)
    last = vips.holder(4)
    assert vips.state(last)["priority"] == 1
    last.vipd.logged("MASTER: last resort")
    back = vips.cluster[1] if last is vips.cluster[2] else vips.cluster[2]
    vips.leashes[back].live()
    wait_until(lambda: vips.cluster.holders() == [back], 3, "the eligible one takes over")


def test_weight_moves_the_priority_as_keepaliveds_scripts_do(vips):
    leash = vips.leash(vips.cluster[1])
    vips.start(1, track="lbd weight 2", **FAST)
    vips.start(2, **{**FAST, "priority": 102})
    assert vips.holder() is vips.cluster[1]
    assert vips.state(vips.cluster[1])["priority"] == 103
    leash.die()
    wait_until(lambda: vips.cluster.holders() == [vips.cluster[2]], 3)
    assert vips.state(vips.cluster[1])["priority"] == 101


# ---- what others do to the address and the interface


def test_a_removed_address_comes_back_at_once(vips):
    vips.start(1, 2, **FAST)
    holder = vips.holder()
    time.sleep(0.3)
    before = len(vips.ear.arps)
    holder.ns.ip(f"addr del {VIP}/32 dev eth0")
    wait_until(holder.holds_vip, 0.2, "it is set again", every=0.001)
    wait_until(lambda: len(vips.ear.arps) > before, 1, "it is announced again")
    assert vips.state(holder)["state"] == "MASTER"
    wait_until(lambda: holder.vipd.counter("addresses_restored") == 1, 1)


def test_an_address_that_is_kept_away_is_left_to_another(vips):
    vips.start(1, 2, **FAST)
    holder = vips.holder()
    for _ in range(3):
        wait_until(holder.holds_vip, 1)
        holder.ns.ip(f"addr del {VIP}/32 dev eth0")
        time.sleep(0.1)
    heir = vips.holder(other_than=holder)
    assert vips.state(holder)["state"] == "FAULT"
    vips.only(heir)


def test_leftovers_and_intruders_are_removed(vips):
    board, other = vips.cluster[1], vips.cluster[2]
    vips.start(2, **FAST)
    assert vips.holder() is other
    board.ns.ip(f"addr add {VIP}/32 dev eth0")
    vips.start(1, **FAST)
    wait_until(lambda: not board.holds_vip(), 1, "the leftover goes")
    for n, prefix in enumerate((32, 24), 1):
        board.ns.ip(f"addr add {VIP}/{prefix} dev eth0")
        wait_until(lambda: not board.holds_vip(), 1, "the intruder goes")
        wait_until(lambda n=n: board.vipd.counter("addresses_refused") == n, 1)
    vips.only(other)


def test_a_master_that_yields_removes_the_address_under_every_prefix(vips):
    old, new = vips.cluster[1], vips.cluster[2]
    vips.start(1, **FAST)
    assert vips.holder() is old
    old.ns.ip(f"addr add {VIP}/24 dev eth0")
    vips.start(2, **{**FAST, "priority": 150})
    wait_until(lambda: vips.cluster.holders() == [new], 4, "nothing of it stays")
    vips.only(new)


# ---- the board's own address


def own_addresses(board):
    return [a["local"] for a in addresses(board) if a["local"] != VIP]


def route_source(board, to):
    """The address that the board's own traffic to that host leaves from."""
    return board.ns.ip_json("route", "get", to)[0]["prefsrc"]


def test_a_prefix_in_the_file_has_no_effect(vips):
    vips.start(1, address=VIP + "/24", **FAST)
    board = vips.holder()
    assert [a["prefixlen"] for a in addresses(board) if a["local"] == VIP] == [32]
    assert vips.state(board)["addresses"] == [VIP]


def test_a_link_local_address_waits_for_the_lease(vips):
    board = vips.cluster[1]
    board.ns.ip("addr flush dev eth0", "addr add 169.254.7.7/16 dev eth0")
    vips.start(1, **FAST)
    vips.is_in(board, "FAULT", 1)
    assert vips.state(board)["fault"] == "none of the interface's addresses is a [board]"
    board.vipd.logged("eth0: none of the interface's addresses is a [board]; waiting")
    stays(lambda: not board.holds_vip(), 1, "it claims nothing")
    board.ns.ip(f"addr add {board.address}/24 dev eth0", "addr del 169.254.7.7/16 dev eth0")
    vips.is_in(board, "MASTER")
    assert vips.state(board)["source"] == board.address
    board.ns.ip(f"addr del {board.address}/24 dev eth0")
    vips.is_in(board, "FAULT", 1)
    assert not board.holds_vip()


def test_an_address_of_another_network_is_no_source_beside_a_board(vips):
    board = vips.cluster[1]
    board.ns.ip("addr flush dev eth0", "addr add 10.0.0.5/24 dev eth0", f"addr add {board.address}/24 dev eth0")
    vips.start(1, **FAST)
    vips.is_in(board, "MASTER")
    assert vips.state(board)["source"] == board.address


@pytest.mark.parametrize("promote", [0, 1])
def test_the_boards_own_address_outlives_mastership(vips, promote):
    """Also when it comes after the virtual one (which no [board] section forbids here), whatever prefix that has."""
    board = vips.cluster[1]
    board.ns.run("sysctl", "-qw", f"net.ipv4.conf.all.promote_secondaries={promote}",
                 f"net.ipv4.conf.eth0.promote_secondaries={promote}")
    board.ns.ip("addr flush dev eth0", "addr add 169.254.7.7/16 dev eth0")
    vips.start(1, text=conf(boards="", address=VIP + "/24", **FAST))
    vips.is_in(board, "MASTER")
    board.ns.ip(f"addr add {board.address}/24 dev eth0", "addr add 192.168.1.181/24 dev eth0")
    stays(board.holds_vip, 1)
    assert [a["local"] for a in addresses(board) if a.get("secondary")] == ["192.168.1.181"]
    board.vipd.stop()
    wait_until(lambda: not board.holds_vip(), 2)
    assert own_addresses(board) == ["169.254.7.7", board.address, "192.168.1.181"]
    assert route_source(board, "192.168.1.172") == board.address


def test_the_boards_own_traffic_leaves_from_its_own_address(vips):
    board = vips.cluster[1]
    board.ns.ip("addr flush dev eth0", f"addr add {board.address}/23 dev eth0")
    vips.start(1, address=VIP + "/24", **FAST)
    vips.is_in(board, "MASTER")
    assert route_source(board, "192.168.1.172") == board.address
    assert not [r for r in board.ns.ip_json("route", "show") if r.get("prefsrc") == VIP]


def test_the_shipped_sysctl_keeps_a_subnets_other_addresses(vips):
    board = vips.cluster[1]
    board.ns.run("sysctl", "-qp", os.path.join(REPO, "systemd", "greenpi.sysctl"))
    board.ns.ip("addr flush dev eth0", f"addr add {VIP}/24 dev eth0", f"addr add {board.address}/24 dev eth0",
                f"addr del {VIP}/24 dev eth0")
    assert own_addresses(board) == [board.address]


def test_an_interface_may_come_late_and_come_back(lab):
    text = conf(interface="late0", **FAST)
    d = lab.daemon("vipd", text)
    state = lambda: d.ask_json("state")["instances"][0]  # noqa: E731
    assert state()["state"] == "FAULT" and state()["fault"] == "there is no such interface"
    for _ in range(2):
        cable(lab.ns, "late0", lab.ns, "peer0")
        lab.ns.ip("link set late0 up")
        wait_until(lambda: state()["fault"] == "the interface has no carrier", 2)
        lab.ns.ip("link set peer0 up")
        wait_until(lambda: state()["fault"] == "the interface has no address of its own", 2)
        lab.ns.ip("addr add 192.168.1.171/24 dev late0")
        wait_until(lambda: state()["state"] == "MASTER", 3)
        assert lab.ns.owns(VIP)
        lab.ns.ip("link del late0")
        wait_until(lambda: state()["state"] == "FAULT", 2)


# ---- configuration


def test_reload_keeps_mastership(vips):
    vips.start(1, 2, **FAST)
    holder = vips.holder()
    since = vips.state(holder)["since"]
    prober = Prober(vips.cluster.client_ns)
    watch = holder.vipd.watch()
    holder.vipd.write_conf(conf(address=f"{VIP} 192.168.1.180", priority=150, **FAST))
    holder.vipd.reload()
    assert watch.until("reload") == "reload done 2"
    wait_until(lambda: {VIP, "192.168.1.180"} <= {a["local"] for a in addresses(holder)}, 1)
    wait_until(lambda: vips.ear.of(holder.address, 150), 2, "the new priority is spoken")
    holder.vipd.write_conf(conf(**FAST))
    holder.vipd.reload()
    assert watch.until("reload") == "reload done 3"
    watch.close()
    assert "192.168.1.180" not in {a["local"] for a in addresses(holder)}
    assert vips.state(holder)["since"] == since and vips.state(holder)["state"] == "MASTER"
    assert prober.stop() == 0
    assert not vips.ear.of(holder.address, 0)


def test_a_shorter_lease_is_renewed_in_time(vips):
    vips.start(1, **{**FAST, "lifetime": "20s"})
    holder = vips.holder()
    holder.vipd.write_conf(conf(**FAST))
    holder.vipd.reload()
    wait_until(lambda: "configuration 2 is active" in holder.vipd.output())
    stays(holder.holds_vip, 3, "the lease is renewed")
    assert holder.vipd.counter("addresses_restored") == 0


def test_a_broken_configuration_is_refused_with_every_error(vips):
    vips.start(1, **FAST)
    holder = vips.holder()
    watch = holder.vipd.watch()
    broken = conf(priority=300, adress="1.2.3.4", advert_int="1500ms", track="lbd relese")
    lines = broken.splitlines()
    holder.vipd.write_conf(broken)
    holder.vipd.reload()
    assert watch.until("reload") == "reload refused"
    watch.close()
    done = once("vipd", "-t", "-c", holder.conf)
    assert done.returncode == 1
    said = holder.vipd.logged("is refused")
    for key in ("priority", "adress", "track"):
        number = next(i for i, line in enumerate(lines, 1) if line.startswith(key + " ="))
        assert f":{number}: {key}: " in said
        assert f":{number}: {key}: " in done.stdout + done.stderr
    stays(holder.holds_vip, 1)


def test_without_an_instance_there_is_nothing_to_do(lab):
    d = lab.daemon("vipd", BOARDS)
    assert d.ask_json("state") == {"instances": []}
    d.logged("no [vrrp]")


def test_an_instance_taken_out_stops_as_planned(vips):
    other = "\n[vrrp VI_2]\ninterface = eth0\nvirtual_router_id = 52\naddress = 192.168.1.180\n" \
            "version = 3\nadvert_int = 100ms\n"
    vips.start(1, text=conf(extra=other, **FAST))
    board = vips.cluster[1]
    wait_until(lambda: board.vipd.counter("masters") == 2, 3)
    assert {a["label"] for a in addresses(board)} == {"eth0", "eth0:0", "eth0:1"}
    board.vipd.write_conf(conf(**FAST))
    board.vipd.reload()
    wait_until(lambda: board.vipd.counter("masters") == 1, 3)
    assert not board.ns.owns("192.168.1.180")
    assert [i["name"] for i in board.vipd.ask_json("state")["instances"]] == ["VI_1"]
    assert board.holds_vip()


def test_events_tell_the_story(vips):
    vips.start(1, **FAST)
    board = vips.cluster[1]
    watch = board.vipd.watch()
    vips.holder()
    vips.cluster.switch.cut(board.ns)
    assert watch.until("FAULT") == "instance VI_1 state FAULT: the interface has no carrier"
    vips.cluster.switch.mend(board.ns)
    assert watch.until("BACKUP") == "instance VI_1 state BACKUP: the fault is over"
    assert watch.until("MASTER") == "instance VI_1 state MASTER: no master is heard"
    watch.close()


# ---- adverts that should not be


SPOILT = [
    ("ttl", {"ttl": 254}), ("checksum", {"add": 1}), ("version", {"first": 0x41}), ("type", {"first": 0x22}),
    ("vrid", {"vrid": 52}), ("auth", {"auth": 1}), ("interval", {"interval": 2}),
    ("interval_zero", {"interval": 0}), ("addresses", {"addresses": ["192.168.1.99"]}),
    ("length", {"tail": b"\0" * 9}), ("source", {"source": "0.0.0.0"}), ("count", {"addresses": []}),
]


def test_spoilt_adverts_move_nothing(vips):
    vips.start(1)
    holder = vips.holder()
    for reason, how in SPOILT:
        frame = advert(**{"source": "192.168.1.10", "priority": 200, **how})
        forge(vips.cluster.client_ns, frame, times=50)
        wait_until(lambda r=reason: holder.vipd.counter("dropped_" + r) == 50, 2, reason)
    assert vips.state(holder)["state"] == "MASTER"
    def logged():
        return [line for line in holder.vipd.output().splitlines() if "ignored" in line or "sends every" in line]
    wait_until(lambda: len(logged()) == len(SPOILT) - 1, 2, "once for each reason, not at all for another router")


def test_conflicting_masters_are_answered_or_obeyed(vips):
    vips.start(1)
    holder = vips.holder()
    time.sleep(0.2)
    for priority in (100, 0):
        adverts, arps = len(vips.ear.of(holder.address)), len(vips.ear.arps)
        forge(vips.cluster.client_ns, advert("192.168.1.10", priority))
        wait_until(lambda n=adverts: len(vips.ear.of(holder.address)) > n, 0.5, "it answers")
        wait_until(lambda n=arps: len(vips.ear.arps) > n, 0.5, "it announces")
        assert holder.holds_vip()
    forge(vips.cluster.client_ns, advert("192.168.1.200", 101))  # equal, and the address is higher
    wait_until(lambda: not holder.holds_vip(), 0.5, "it yields")
    assert vips.state(holder)["master"] == "192.168.1.200"


# ---- keepalived as the other router


needs_keepalived = pytest.mark.skipif(not shutil.which("keepalived", path="/usr/sbin"), reason="no keepalived here")
COMPLAINTS = re.compile(r"Invalid|mismatch|wrong|expected|too (long|short)")
VERSIONS = [(2, 1, {}), (3, 0.1, FAST)]


@pytest.fixture
def keepalived(request):
    made = []

    def make(board, **kw):
        made.append(Keepalived(board, **kw))
        return made[-1]
    yield make
    for k in made:
        k.kill()
        assert not COMPLAINTS.search(k.output()), k.output()


@needs_keepalived
@pytest.mark.parametrize("version,interval,keys", VERSIONS, ids=["v2", "v3"])
def test_vipd_hands_over_to_keepalived_without_a_gap(vips, keepalived, version, interval, keys):
    vips.start(1, **keys)
    ours = vips.holder()
    peer = keepalived(vips.cluster[2], version=version, interval=interval).start()
    stays(lambda: vips.cluster.holders() == [ours], 1.5, "equal priority: it stays backup")
    prober = Prober(vips.cluster.client_ns)
    assert prober.answered.wait(2)
    ours.vipd.stop()
    assert vips.holder() is peer.board
    assert prober.stop() < 0.05
    vips.only(peer.board)


@needs_keepalived
@pytest.mark.parametrize("version,interval,keys", VERSIONS, ids=["v2", "v3"])
def test_keepalived_hands_over_to_vipd_and_takes_back(vips, keepalived, version, interval, keys):
    peer = keepalived(vips.cluster[2], priority=150, version=version, interval=interval).start()
    vips.start(1, **keys)
    assert vips.holder() is peer.board
    assert vips.state(vips.cluster[1])["state"] == "BACKUP"
    stopped = time.monotonic()
    peer.stop()
    assert vips.holder(2) is vips.cluster[1]
    assert time.monotonic() - stopped < 1.5
    peer.start()
    wait_until(lambda: vips.cluster.holders() == [peer.board], 6, "higher priority: it takes over")
    vips.only(peer.board)


@needs_keepalived
@pytest.mark.parametrize("number,winner", [(1, 2), (3, 3)])
def test_a_conflict_with_keepalived_ends_by_address(vips, keepalived, number, winner):
    board = vips.cluster[number]
    peer = keepalived(vips.cluster[2]).start()
    vips.cluster.switch.blackhole(board.ns)
    vips.start(number)
    wait_until(lambda: len(vips.cluster.holders()) == 2, 8, "each side has its master")
    vips.cluster.switch.mend(board.ns)
    wait_until(lambda: vips.cluster.holders() == [vips.cluster[winner]], 2.5, "the higher address wins")
    vips.only(vips.cluster[winner])
    if winner == number:
        wait_until(lambda: vips.ear.arps[-1][1] == vips.cluster.mac(board), 1, "the winner speaks last")
    assert peer.proc.alive()


@needs_keepalived
def test_a_dead_keepalived_is_replaced(vips, keepalived):
    peer = keepalived(vips.cluster[2], priority=150).start()
    vips.start(1)
    assert vips.holder() is peer.board
    vips.cluster.switch.cut(peer.board.ns)
    cut = time.monotonic()
    assert vips.holder(6, other_than=peer.board) is vips.cluster[1]
    assert time.monotonic() - cut < 4.0
