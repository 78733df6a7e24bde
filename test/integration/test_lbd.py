# SPDX-License-Identifier: MIT
"""The balancer as clients and servers see it: each test is the conversation, ending on counters."""

import base64
import contextlib
import csv
import hashlib
import io
import os
import re
import signal
import threading
import time

import pytest

from lab.client import Load, at_once
from lab.lab import lbd_conf
from lab.origin import (close_after_accept, close_after_request, hang, in_turn, raw, reply, reset_after_accept,
                        when)
from lab.wait import wait_until
from lab.wire import WireError


def named(lab, *names):
    """Origins that answer with their names."""
    return [lab.origin(reply(200, body=n.encode())) for n in names]


def log_lines(lb):
    return [line for line in lb.output().splitlines() if " web " in line and "[" in line]


def last_log(lb, part):
    """The access log's last line with part in it; lines are written within a second."""
    wait_until(lambda: any(part in line for line in log_lines(lb)), deadline=5)
    return [line for line in log_lines(lb) if part in line][-1]


# -- choosing

@pytest.mark.parametrize("workers", [1, 4])
def test_four_servers_take_turns_exactly(lab, workers):
    lb = lab.lbd(named(lab, "1", "2", "3", "4"), extra=f"[lb]\nworkers = {workers}\n")
    assert [lb.get().body for _ in range(12)] == [b"1", b"2", b"3", b"4"] * 3


def test_weights(lab):
    a, b = named(lab, "a", "b")
    text = lbd_conf([a, b]).replace("cookie = c2", "cookie = c2\nweight = 3")
    lb = lab.lbd(conf=text)
    assert sorted(lb.get().body for _ in range(40)).count(b"b") == 30


@pytest.mark.parametrize("mode, indirect", [("insert", False), ("insert indirect nocache", True)])
def test_a_browser_stays_where_it_is(lab, mode, indirect):
    servers = named(lab, "1", "2", "3", "4")
    lb = lab.lbd(servers, cookie=f"SERVERID {mode}")
    browser = lb.browser()
    first = browser.get()
    assert browser.jar == {"SERVERID": "c1"} and "path=/" in first.header("Set-Cookie")
    assert first.header("Cache-Control") == ("private" if indirect else None)
    for _ in range(4):
        again = browser.get()
        assert again.body == first.body and again.header("Set-Cookie") is None
    assert lb.get().body == b"2"
    seen = servers[0].requests[-1].header("Cookie")
    assert seen == (None if indirect else "SERVERID=c1")
    last_log(lb, " --VN ")


def test_rewrite_changes_only_what_the_server_sets(lab):
    plain = lab.origin(in_turn(reply(200), reply(200, headers={"Set-Cookie": "SERVERID=own; path=/x; HttpOnly"})))
    lb = lab.lbd([plain], cookie="SERVERID rewrite")
    assert lb.get().header("Set-Cookie") is None
    assert lb.get().header("Set-Cookie") == "SERVERID=c1; path=/x; HttpOnly"


def test_unknown_cookies_are_balanced_anew(lab):
    lb = lab.lbd(named(lab, "1", "2"), cookie="SERVERID insert indirect")
    answer = lb.get(headers={"Cookie": "SERVERID=zz; a=b"})
    assert answer.header("Set-Cookie") == "SERVERID=c1; path=/"
    last_log(lb, " --II ")


# -- when a server fails

@pytest.mark.parametrize("broken", [close_after_request, close_after_accept, reset_after_accept])
def test_retry_goes_to_the_next_server(lab, broken):
    lb = lab.lbd([lab.origin(broken), *named(lab, "b")], retries=1)
    assert [lb.get().body for _ in range(4)] == [b"b"] * 4
    assert lb.counter("retries") >= 1 and lb.counter("redispatches") >= 1


def test_a_dead_server_is_left_out_after_two_failures(lab):
    lb = lab.lbd([("127.0.0.1", 9), *named(lab, "b")])
    assert {lb.get().body for _ in range(20)} == {b"b"}
    assert lb.counter("connect_errors") == 2
    lb.logged("left out")


def test_the_last_server_is_never_left_out(lab):
    lb = lab.lbd([("127.0.0.1", 9)])
    assert {lb.get().status for _ in range(5)} == {503}
    last_log(lb, " SC")


def test_a_pinned_client_moves_when_its_server_dies(lab):
    lb = lab.lbd([("127.0.0.1", 9), *named(lab, "b")], cookie="SERVERID insert indirect")
    answer = lb.get(headers={"Cookie": "SERVERID=c1"})
    assert answer.body == b"b" and answer.header("Set-Cookie") == "SERVERID=c2; path=/"
    last_log(lb, " --DI ")


def test_the_keep_alive_race_is_not_the_clients_problem(lab):
    o = lab.origin(in_turn(reply(200, b"1"), close_after_request, reply(200, b"2")))
    lb = lab.lbd([o], extra="[lb]\nworkers = 1\n")
    with lb.conn() as c:
        assert c.ask("/a").body == b"1"
        assert c.ask("/b").body == b"2"
    assert lb.counter("stale") == 1


def test_a_post_is_never_sent_twice(lab):
    o = lab.origin(in_turn(reply(200, b"1"), close_after_request))
    other = lab.origin(reply(200, b"other"))
    lb = lab.lbd([o, other], retries=3)
    lb.get(), lb.get()
    assert lb.ask("/pay", "POST", body=b"money").status == 502
    assert sum(r.method == "POST" for x in (o, other) for r in x.requests) == 1
    last_log(lb, " SH")


@pytest.mark.parametrize("behaviour, keys, status, flags", [
    (hang, {"server_timeout": "300ms"}, 504, "sH"),
    (raw(b"nonsense\r\n\r\n"), {}, 502, "PH"),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"), {}, 502, "PH"),
    (raw(b"HTTP/1.1 200 OK\r\nX: y"), {}, 502, "PH"),
    (close_after_request, {"retries": 0}, 502, "SH"),
])
def test_what_a_bad_server_costs(lab, behaviour, keys, status, flags):
    lb = lab.lbd([lab.origin(behaviour)], **keys)
    answer = lb.get()
    assert answer.status == status and answer.complete
    last_log(lb, f" {flags}-")


def test_connect_timeout_is_all_that_a_silent_server_gets(lab):
    """Of its backlog's length and full: SYNs are dropped. Longer than the limit for silence, which is not for SYNs."""
    silent = lab.ns.socket()
    silent.bind(("127.0.0.1", 7800))
    silent.listen(0)
    with contextlib.ExitStack() as filled:
        for _ in range(4):
            s = filled.enter_context(lab.ns.socket())
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", 7800))
        lb = lab.lbd([("127.0.0.1", 7800)], retries=0, connect_timeout="4500ms")
        began = time.monotonic()
        assert lb.get().status == 503
        assert 4.4 < time.monotonic() - began < 6
        last_log(lb, " sC-")
    silent.close()


@pytest.mark.parametrize("before", ["nothing", "a GET"])
def test_an_upload_waits_for_a_server_that_is_slow_to_read(lab, before):
    """Its window is closed for longer than the limit for silence; that connection may have carried GETs before."""
    go = threading.Event()
    o = lab.origin(lambda call: call.answer(200, str(len(call.request.body)).encode()))
    o.hold_bodies(go)
    lb = lab.lbd([o], extra="[lb]\nworkers = 1\n")
    if before == "a GET":
        assert lb.get().body == b"0"
    threading.Timer(4.5, go.set).start()
    # PUT is idempotent and so may go over the idle connection.
    answer = lb.ask("/", "PUT", body=b"z" * 3000000)
    assert (answer.status, answer.body) == (200, b"3000000") and go.is_set()
    assert lb.counter("connects") == 1
    with lb.conn() as c:  # and the connection is good for more
        assert c.ask("/").body == b"0"
    assert lb.counter("connects") == 1


def test_a_server_may_think_for_long(lab):
    """Its kernel acknowledges what it is sent and asked: that is not silence."""
    go = threading.Event()
    lb = lab.lbd([lab.origin(when(go, reply(200, b"thought")))], retries=0)
    threading.Timer(4.5, go.set).start()
    assert lb.get().body == b"thought"
    assert (lb.counter("connects"), lb.counter("stale")) == (1, 0)


def test_a_response_cut_short_is_seen_as_such(lab):
    lb = lab.lbd([lab.origin(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"))])
    answer = lb.get()
    assert answer.status == 200 and not answer.complete
    last_log(lb, " SD-")


# -- bodies and connections

def test_large_bodies_both_ways(lab):
    lb = lab.lbd([lab.origin()])
    assert len(lb.get("/t/x?size=5000000").body) == 5000000
    assert len(lb.get("/t/x?size=5000000&chunked=1").body) == 5000000


def test_large_request_bodies(lab):
    """Through lbd and edged, in pieces that a client sends at its own pace, and byte by byte what it sent."""
    def digest(call):
        call.answer(200, hashlib.sha256(call.request.body).hexdigest().encode())
    lab.edged(lab.origin(digest))
    lb = lab.lbd([("127.0.0.1", 6081)])
    body = os.urandom(3000000)
    expected = hashlib.sha256(body).hexdigest().encode()
    with lb.conn() as c:
        for cuts in ([len(body)], [1, 30000, 33000, 1000000, 1000001, 2990000, len(body)], [40000, len(body)]):
            c.send(f"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n")
            for begin, end in zip([0] + cuts, cuts):
                c.send(body[begin:end])
                time.sleep(0.005)  # the pace of a client whose pieces arrive one by one
            assert c.read().body == expected


def test_chunked_request_bodies(lab):
    o = lab.origin(lambda call: call.answer(200, str(len(call.request.body)).encode()))
    lb = lab.lbd([o])
    with lb.conn() as c:
        c.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        for n in (1, 5000, 70000, 16):
            c.send(b"%x\r\n%s\r\n" % (n, b"y" * n))
        c.send("0\r\n\r\n")
        assert c.read().body == b"75017"


def test_clients_share_connections_to_servers(lab):
    o = lab.origin(reply(200, b"x"))
    lb = lab.lbd([o], extra="[lb]\nworkers = 1\n")
    for _ in range(30):
        assert lb.get().status == 200
    assert lb.counter("connects") == 1


def test_http_1_0_and_half_closed_clients(lab):
    lb = lab.lbd(named(lab, "x"))
    with lb.conn() as c:
        c.send("GET / HTTP/1.0\r\n\r\n")
        answer = c.read()
        assert answer.body == b"x" and c.closed()
    with lb.conn() as c:
        c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        c.half_close()
        assert c.read().body == b"x"


def test_a_client_that_leaves_ends_the_request(lab):
    go = threading.Event()
    o = lab.origin(when(go, reply(200, b"late")))
    lb = lab.lbd([o])
    with lb.conn() as c:
        c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        wait_until(lambda: o.requests, deadline=5)
        c.reset()
    wait_until(lambda: lb.counter("client_aborts") == 1, deadline=5)
    go.set()
    last_log(lb, " CH")


def test_silent_connections_leave_no_trace(lab):
    lb = lab.lbd(named(lab, "x"))
    for _ in range(3):
        lb.conn().close()
    assert lb.get().status == 200
    last_log(lb, "GET /")
    assert len(log_lines(lb)) == 1 and lb.counter("refused") == 0


def test_hop_by_hop_fields_stay_behind(lab):
    o = lab.origin(reply(200, b"x", {"Connection": "X-Hop, close", "X-Hop": "1", "Keep-Alive": "t=1", "X-End": "2"}))
    lb = lab.lbd([o])
    answer = lb.get(headers={"Connection": "X-Mine", "X-Mine": "1", "Upgrade": "h2c", "X-Forwarded-For": "1.2.3.4"})
    seen = o.requests[0]
    assert [seen.header(n) for n in ("X-Mine", "Upgrade", "Connection")] == [None] * 3
    assert seen.all("X-Forwarded-For") == ["127.0.0.1"]
    assert [answer.header(n) for n in ("X-Hop", "Keep-Alive")] == [None] * 2 and answer.header("X-End") == "2"


CLAIMS = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https",
          "X-Forwarded-Port": "443", "Forwarded": "for=1.2.3.4;host=evil.test", "X-Real-IP": "1.2.3.4",
          "X-Original-URL": "/admin", "X-HTTP-Method-Override": "HEAD", "Proxy": "evil:1", "X_Forwarded_Host": "evil.test"}


def test_forwarded_fields_of_clients_are_not_believed(lab):
    o = lab.origin(reply(200, b"x"))
    lb = lab.lbd([o])
    lb.get(headers=CLAIMS, host="pi.test")
    seen = o.requests[-1]
    assert {n: seen.all(n) for n in CLAIMS} == {
        **{n: [] for n in CLAIMS}, "X-Forwarded-For": ["127.0.0.1"], "X-Forwarded-Host": ["pi.test"],
        "X-Forwarded-Proto": ["http"]}
    # What an editor sends, in place of a DELETE, means no more than a DELETE.
    lb.ask("/", "POST", headers={"X-HTTP-Method-Override": "DELETE"}, body=b"{}")
    assert o.requests[-1].header("X-HTTP-Method-Override") == "DELETE"


def test_a_trusted_proxy_is_believed_after_a_reload(lab):
    o = lab.origin(reply(200, b"x"))
    lb = lab.lbd([o])
    text = lbd_conf([o], extra="[lb]\ntrust = 10.0.0.0/8\ntrust = 127.0.0.0/8 ::1\n")
    lb.write_conf(text)
    assert "error" not in lb.tell("reload")
    lb.get(headers=CLAIMS, host="pi.test")
    seen = o.requests[-1]
    assert {n: seen.all(n) for n in CLAIMS} == {
        **{n: [v] for n, v in CLAIMS.items()}, "X-Forwarded-For": ["1.2.3.4", "127.0.0.1"], "X_Forwarded_Host": []}


def test_maxconn_waits_instead_of_refusing(lab):
    go = threading.Event()
    lb = lab.lbd([lab.origin(when(go, reply(200, b"x")))], extra="[lb]\nworkers = 1\nmaxconn = 2\n")
    threading.Timer(0.5, go.set).start()
    assert [a.status for a in at_once(6, lambda i: lb.get())] == [200] * 6


def limited(server, maxconn, workers=1):
    return lbd_conf([server], extra=f"[lb]\nworkers = {workers}\nmaxconn = {maxconn}\n")


def test_maxconn_raised_by_a_reload_serves_more(lab):
    (o,) = named(lab, "x")
    lb = lab.lbd(conf=limited(o, 10))
    lb.write_conf(limited(o, 1000))
    assert "done" in lb.tell("reload")
    part = b"GET / HTTP/1.1\r\nHo"
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(lb.conn()) for _ in range(400)]
        for c in clients:
            c.send(part)
        wait_until(lambda: lb.counter("bytes_in") == 400 * len(part), deadline=20)  # each holds a buffer
        for c in clients:
            c.send(b"st: a\r\n\r\n")
        assert [c.read().status for c in clients] == [200] * 400
    assert lb.counter("shed") == 0


# -- operating

def test_disable_drain_enable(lab):
    lb = lab.lbd(named(lab, "1", "2"), cookie="SERVERID insert indirect")
    browser = lb.browser()
    assert browser.get().body == b"1"
    assert "DRAIN" in lb.tell("drain server p/s1")
    assert {lb.get().body for _ in range(4)} == {b"2"} and browser.get().body == b"1"
    assert "MAINT" in lb.tell("disable server p/s1")
    assert browser.get().body == b"2"
    assert "UP" in lb.tell("enable server p/s1")
    assert {lb.get().body for _ in range(4)} == {b"1", b"2"}
    assert "no server" in lb.tell("disable server p/nobody")


def test_reload_changes_servers_and_loses_nobody(lab):
    servers = named(lab, "1", "2", "3")
    lb = lab.lbd(servers[:2])
    load = Load(lb.client, threads=3, keep=False)
    for some in (servers[1:], servers[:1], servers):
        wait_until(lambda done=load.done: load.done > done + 20, deadline=20)
        lb.write_conf(lbd_conf(some))
        lb.reload()
    wait_until(lambda done=load.done: load.done > done + 20, deadline=20)
    assert load.stop().failures == []
    assert {s["name"] for s in lb.ask_json("servers")} == {"s1", "s2", "s3"}


def test_reload_adds_and_removes_listeners(lab):
    (o,) = named(lab, "x")
    lb = lab.lbd([o])
    text = lbd_conf([o])
    lb.write_conf(text.replace("bind = 127.0.0.1:80", "bind = 127.0.0.1:80 127.0.0.1:8888"))
    lb.reload()
    other = lab.client(("127.0.0.1", 8888))
    wait_until(lambda: answers(other), deadline=5)
    lb.write_conf(text)
    lb.reload()
    wait_until(lambda: not answers(other), deadline=5)
    assert lb.get().status == 200


def test_connections_of_a_removed_listener_end_after_their_request(lab):
    gate = threading.Event()
    late, prompt = when(gate, reply(200, body=b"late")), reply(200, body=b"x")
    origin = lab.origin(lambda call: (late if call.request.target == "/slow" else prompt)(call))
    lb = lab.lbd([origin])
    text = lbd_conf([origin])
    both = text.replace("bind = 127.0.0.1:80", "bind = 127.0.0.1:80 127.0.0.1:8888")
    for came in range(3):  # a listener that comes again is the one that was
        gate.clear()
        lb.write_conf(both)
        lb.reload()
        other = lab.client(("127.0.0.1", 8888))
        wait_until(lambda: answers(other), deadline=5)
        with other.conn() as idle, other.conn() as busy, other.conn() as partial:
            assert idle.ask().status == 200 and partial.ask().status == 200
            busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            partial.send("GET / HTTP/1.1\r\nHo")
            wait_until(lambda: origin.counts["/slow"] == came + 1, deadline=5)
            lb.write_conf(text)
            lb.reload()
            assert idle.closed()
            wait_until(lambda: not answers(other), deadline=5)
            gate.set()
            last = busy.read()
            assert (last.status, last.body, last.header("Connection")) == (200, b"late", "close")
            partial.send("st: a\r\n\r\n")
            refused = partial.read()
            assert (refused.status, refused.header("Connection")) == (503, "close")
            assert busy.closed() and partial.closed()
    assert lb.get().status == 200


def test_a_server_with_another_address_is_another_server(lab):
    a, b = named(lab, "a", "b")
    lb = lab.lbd([a])
    assert lb.get().body == b"a" and "MAINT" in lb.tell("disable server p/s1") and lb.get().status == 503
    lb.write_conf(lbd_conf([b]))
    assert "done" in lb.tell("reload")
    wait_until(lambda: lb.get().body == b"b", deadline=5)  # it is not the one that was disabled
    assert "MAINT" in lb.tell("disable server p/s1") and lb.get().status == 503
    assert "UP" in lb.tell("enable server p/s1") and lb.get().body == b"b"
    lb.write_conf(lbd_conf([]).replace("pool = p", "pool = q") + "[pool q]\n[server s9]\npool = q\naddress = "
                  f"127.0.0.1:{b.address[1]}\n")
    assert "done" in lb.tell("reload")
    assert "no server" in lb.tell("disable server p/s1")


def test_too_many_listeners_are_a_configuration_error(lab):
    lb = lab.lbd(named(lab, "x"))
    text = lbd_conf([("127.0.0.1", 1)])
    for i in range(8):
        binds = " ".join(f"127.0.0.1:{9000 + 10 * i + n}" for n in range(8))
        text += f"[frontend f{i}]\nbind = {binds}\npool = p\n"
    lb.write_conf(text)
    assert "refused" in lb.tell("reload")
    lb.logged("at most 64 addresses")
    assert lb.get().status == 200


def answers(client):
    try:
        return client.get().status == 200
    except (OSError, WireError):  # a listener closed with the connection in its queue
        return False


def test_a_bad_configuration_is_refused_with_every_error(lab):
    lb = lab.lbd(named(lab, "x"))
    lb.write_conf("[frontend web]\nbind = 127.0.0.1:80\npool = q\nbnd = 1\n[pool p]\nretries = 99\n")
    assert "refused" in lb.tell("reload")
    lb.logged(":3: pool: there is no [pool q]", ":4: bnd", "did you mean", ":6: retries: 99 is outside 0..10")
    assert lb.get().status == 200


STATS = "[stats]\nbind = 127.0.0.1:81\nauth = me:secret\nrefresh = 30s\n"


def test_sigterm_lets_requests_end(lab):
    go = threading.Event()
    lb = lab.lbd([lab.origin(when(go, reply(200, b"slow")))],
                 extra="[lb]\nworkers = 1\n" + STATS)
    with lb.conn() as c, lab.client(("127.0.0.1", 81)).conn() as idle:
        assert idle.ask("/").status == 401
        c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        wait_until(lambda: lb.counter("requests") == 1, deadline=5)
        os.kill(lb.pid, signal.SIGTERM)
        assert idle.closed()  # the worker drains: its idle connections go first
        go.set()
        answer = c.read()
    assert answer.body == b"slow" and answer.header("Connection") == "close"
    lb.stop()


# -- statistics


def asking(lab, target, secret="me:secret"):
    token = base64.b64encode(secret.encode()).decode()
    return lab.client(("127.0.0.1", 81)).get(target, headers={"Authorization": f"Basic {token}"})


def test_the_statistics_page(lab):
    lb = lab.lbd(named(lab, "1", "2"), extra=STATS)
    for _ in range(6):
        lb.get()
    wait_until(lambda: lb.counter("connections") == 6, deadline=5)
    stranger = lab.client(("127.0.0.1", 81)).get("/haproxy?stats")
    assert stranger.status == 401 and "Basic" in stranger.header("WWW-Authenticate")
    assert asking(lab, "/haproxy?stats", "me:secre").status == 401
    assert asking(lab, "/haproxy?stats", "me:secretsecret").status == 401
    assert asking(lab, "/").header("Location") == "/haproxy?stats"
    page = asking(lab, "/haproxy?stats")
    assert page.status == 200 and page.header("Refresh") == "30" and b"<table>" in page.body
    text = asking(lab, "/haproxy?stats;csv").body.decode()
    rows = {(r["# pxname"], r["svname"]): r for r in csv.DictReader(io.StringIO(text))}
    assert rows["p", "s1"]["stot"] == "3" and rows["p", "BACKEND"]["stot"] == "6"
    assert rows["p", "s1"]["status"] == "UP" and rows["web", "FRONTEND"]["req_tot"] == "6"
    assert asking(lab, "/other").status == 404
    assert lb.tell("show stat").splitlines()[0] == text.splitlines()[0]


HAPROXY_COLUMNS = (
    "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,"
    "bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,"
    "check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,"
    "req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,"
    "rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,check_health,"
    "agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses,"
    "wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,rtime_max,ttime_max,eint,"
    "idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,agg_server_check_status,"
    "agg_check_status,-,")


def test_the_csv_has_the_columns_of_haproxy(lab):
    lb = lab.lbd(named(lab, "1"))
    lines = lb.tell("show stat").splitlines()
    assert lines[0].startswith(HAPROXY_COLUMNS)
    assert len(lines) == 4  # frontend, server, pool
    assert {len(line.split(",")) for line in lines} == {129}  # 128 columns, each with its comma


def show_stat(lb):
    rows = csv.DictReader(io.StringIO(lb.tell("show stat")))
    return {(r["# pxname"], r["svname"]): r for r in rows}


TWO_FRONTENDS = "\n[frontend two]\nbind = 127.0.0.1:8001 127.0.0.1:8002\npool = p\n"


def test_each_frontend_counts_its_own(lab):
    def by_target(call):
        (reply(404) if call.request.target == "/gone" else reply(200, body=b"x" * 1000))(call)
    lb = lab.lbd([lab.origin(by_target)], extra=TWO_FRONTENDS)
    other = [lab.client(("127.0.0.1", port)) for port in (8001, 8002)]
    for _ in range(3):
        assert lb.get().status == 200
    for client in other:
        assert client.get("/gone").status == 404
    assert other[0].say(b"GET / HTTP/9.9\r\n\r\n").status == 505
    with other[1].conn() as held:
        held.ask("/")
        wait_until(lambda: lb.objects("frontend")["two"]["clients"] == 1, 5)
        assert lb.objects("frontend")["web"]["clients"] == 0
        wait_until(lambda: lb.objects("frontend")["two"]["running"] == 0, 5)
    wait_until(lambda: (lb.counter("connections"), lb.counter("clients")) == (7, 0), 5)  # so all is added up
    seen = lb.objects("frontend")
    web, two = seen["web"], seen["two"]
    assert (web["requests"], web["connections"], web["responses_2xx"], web["responses_4xx"]) == (3, 3, 3, 0)
    assert (two["requests"], two["connections"], two["refused"]) == (4, 4, 1)
    assert (two["responses_2xx"], two["responses_4xx"], two["responses_5xx"]) == (1, 2, 1)
    assert web["bytes_out"] > 3000 and 1000 < two["bytes_out"] < 3000 and web["bytes_in"] > 3 * 30
    all_ = lb.counters()
    for name in ("requests", "connections", "refused", "bytes_in", "bytes_out", "responses_4xx"):
        assert all_[name] == web[name] + two[name], name
    rows = show_stat(lb)
    assert (rows["web", "FRONTEND"]["req_tot"], rows["two", "FRONTEND"]["req_tot"]) == ("3", "4")
    assert (rows["web", "FRONTEND"]["stot"], rows["two", "FRONTEND"]["ereq"]) == ("3", "1")
    assert rows["two", "FRONTEND"]["bout"] == str(two["bytes_out"])
    assert (rows["p", "BACKEND"]["req_tot"], rows["p", "BACKEND"]["hrsp_4xx"]) == ("6", "2")


def test_a_pool_counts_requests_and_its_servers_attempts(lab):
    lb = lab.lbd([("127.0.0.1", 9), lab.origin()], retries=1)
    for _ in range(2):
        assert lb.get().status == 200
        # A request is over a moment after its answer has left.
        wait_until(lambda: all(s["current"] == 0 for s in lb.ask_json("servers")), 5)
    wait_until(lambda: lb.objects("pool")["p"]["running"] == 0, 5)
    rows, pool = show_stat(lb), lb.objects("pool")["p"]
    servers = lb.objects("server")
    assert rows["p", "BACKEND"]["req_tot"] == "2" and rows["p", "BACKEND"]["stot"] == "2"
    assert pool["requests"] == 2 and sum(s["requests"] for s in servers.values()) == 2 + pool["retries"]
    assert pool["retries"] == pool["redispatches"] == servers["p/s1"]["retries"] == lb.counter("retries") > 0
    assert servers["p/s1"]["connect_errors"] == pool["connect_errors"] == pool["retries"]
    assert rows["p", "s1"]["econ"] == str(pool["retries"]) and rows["p", "s2"]["hrsp_2xx"] == "2"
    assert pool["picks"] == pool["requests"] + pool["retries"]
    assert (pool["responses_2xx"], servers["p/s2"]["running"], rows["p", "s2"]["scur"]) == (2, 0, "0")
    assert int(rows["p", "s2"]["lastsess"]) < 60 and rows["p", "s2"]["smax"] == "1"
    told = {s["name"]: s for s in lb.ask_json("servers")}
    assert told["s1"]["connect_errors"] == pool["retries"] and told["s2"]["total"] == servers["p/s2"]["requests"]


@pytest.mark.parametrize("workers", [1, 4])
def test_counters_of_servers_and_frontends_survive_a_reload_by_name(lab, workers):
    servers = named(lab, "1", "2", "3")
    settings = f"[lb]\nworkers = {workers}\n"
    lb = lab.lbd(servers[:2], extra=settings + TWO_FRONTENDS)
    other = lab.client(("127.0.0.1", 8001))

    def counted_truly():
        return {name: c["requests"] for name, c in lb.objects("server").items()} == {
            f"p/s{i}": s.hits for i, s in enumerate(servers, 1) if s.hits}

    def reload(some, extra):
        w = lb.watch()
        lb.write_conf(lbd_conf(some, extra=settings + extra))
        lb.reload()
        w.until("reload done")
        w.close()

    for _ in range(4):
        lb.get()
    other.get()
    other.get()
    assert counted_truly() and servers[0].hits == servers[1].hits == 3
    reload(servers[:1], "")  # s2 and the frontend `two` are taken out
    for _ in range(4):
        lb.get()
    assert counted_truly() and lb.objects("frontend")["two"]["requests"] == 2
    reload(servers, TWO_FRONTENDS)
    other.get()
    wait_until(lambda: lb.get() and servers[2].hits, 5)  # each worker has heard of it
    wait_until(lambda: lb.objects("frontend")["two"]["connections"] == 3, 5)
    hits = sum(s.hits for s in servers)
    assert counted_truly() and lb.counter("requests") == hits
    assert {name: f["requests"] for name, f in lb.objects("frontend").items()} == {"web": hits - 3, "two": 3}
    assert show_stat(lb)["p", "s1"]["stot"] == str(servers[0].hits)


def test_an_address_that_changes_its_frontend_takes_its_clients_along(lab):
    lb = lab.lbd([lab.origin()], extra=TWO_FRONTENDS)
    with lab.client(("127.0.0.1", 8001)).conn() as c:
        c.ask("/")
        wait_until(lambda: lb.objects("frontend")["two"]["clients"] == 1, 5)
        lb.write_conf(open(lb.conf, encoding="utf-8").read().replace("[frontend two]", "[frontend three]"))
        lb.reload()
        wait_until(lambda: lb.objects("frontend").get("three", {}).get("clients") == 1, 5)
        assert lb.objects("frontend")["two"]["clients"] == 0
        c.ask("/")
        wait_until(lambda: lb.objects("frontend")["three"]["bytes_out"] > 0, 5)
    wait_until(lambda: lb.objects("frontend")["three"]["clients"] == 0, 5)
    seen = lb.objects("frontend")
    assert (seen["two"]["requests"], seen["three"]["requests"], seen["two"]["clients"]) == (1, 1, 0)
    assert (seen["two"]["connections"], seen["three"]["connections"]) == (1, 0)


def test_the_log_line(lab):
    lb = lab.lbd(named(lab, "x"))
    lb.get("/a?b")
    line = last_log(lb, "/a?b")
    assert re.search(r'127\.0\.0\.1:\d+ \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d{3}\] web p/s1 '
                     r'\d+/0/\d+/\d+/\d+ 200 \d+ - - ---- \d+/\d+/\d+/\d+/0 0/0 "GET /a\?b HTTP/1\.1"$', line)


def test_the_log_line_of_a_purge_that_is_not_forwarded(lab):
    lb = lab.lbd(named(lab, "x"), extra="[lb]\nforwarded-for = no\n")
    assert lb.ask("/a?b", "PURGE").status == 403
    assert re.search(r' web p/<NOSRV> \d+/-1/-1/-1/\d+ 403 \d+ - - PR-- .* "PURGE /a\?b HTTP/1\.1"$',
                     last_log(lb, "/a?b"))
