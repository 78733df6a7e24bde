# SPDX-License-Identifier: MIT
"""Side by side with the peers: CPU time a request, in one run, in turns, medians.

    make bench [BENCH_ARGS="--rounds 3 --seconds 4"]

Everything is on loopback. The proxy under test is pinned to core 0 with one worker; load (wrk) and origin (nginx) are
on core 1. What is compared is (user + system CPU time of the proxy's processes) / requests, which other work on the
machine hardly touches; wall time it does. Access logs are off for all.
"""
import argparse
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("GREENPI_BUILD", "build/release"))
HERE = pathlib.Path(__file__).resolve().parent
ORIGIN = 18101
PORTS = {"lbd": 18201, "haproxy": 18202, "nginx": 18203, "haproxy splice": 18204,
         "edged": 18301, "varnish": 18302, "nginx cache": 18303}

ORIGIN_CONF = """
daemon off; pid {dir}/origin.pid; error_log {dir}/origin.err; worker_processes 1;
events {{ worker_connections 4000; }}
http {{ access_log off; client_body_temp_path {dir}/ob; keepalive_requests 1000000000; keepalive_timeout 300;
  default_type text/plain;
  server {{ listen 127.0.0.1:{origin} reuseport backlog=4096; root {dir}/www; add_header Cache-Control max-age=3600;
    client_max_body_size 8m; location = /upload {{ return 204; }} }} }}
"""
UPLOAD = 'wrk.method = "POST"\nwrk.body = string.rep("x", 1048576)\n'
NGINX_PROXY = """
daemon off; pid {dir}/np.pid; error_log {dir}/np.err; worker_processes 1;
events {{ worker_connections 8000; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {dir}/npb; proxy_temp_path {dir}/npp;
  upstream o {{ server 127.0.0.1:{origin}; keepalive 256; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://o; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; }} }} }}
"""
NGINX_CACHE = """
daemon off; pid {dir}/nc.pid; error_log {dir}/nc.err; worker_processes 1;
events {{ worker_connections 8000; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {dir}/ncb; proxy_temp_path {dir}/ncp;
  proxy_cache_path {dir}/cache keys_zone=c:10m use_temp_path=off inactive=1h;
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_cache c; proxy_cache_key $host$request_uri;
      proxy_cache_valid 200 1h; }} }} }}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 50s
  timeout server 50s
  http-reuse always
listen l
  bind 127.0.0.1:{port}
  option forwardfor
  {options}
  server s1 127.0.0.1:{origin}
"""
LBD = """
[lb]
workers = 1
maxconn = 8000
access-log = no
server-idle = 1m
[frontend web]
bind = 127.0.0.1:{port}
pool = p
[pool p]
check = none
[server s1]
pool    = p
address = 127.0.0.1:{origin}
"""
EDGED = """
[edge]
listen  = 127.0.0.1:{port}
origin  = 127.0.0.1:{origin}
workers = 1
memory  = 128M
maxconn = 8000
"""
VCL = 'vcl 4.1; backend default {{ .host = "127.0.0.1"; .port = "{origin}"; }}'


def pin(core):
    return lambda: (os.sched_setaffinity(0, {core}), os.setpgid(0, 0))


def wait_port(port, deadline_s=10):
    until = time.monotonic() + deadline_s
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if time.monotonic() > until:
            raise SystemExit(f"no process listens on port {port}")
        time.sleep(0.02)


class Server:
    """A program on a core; its CPU time is that of its whole process group."""

    def __init__(self, command, core, port, log):
        self.process = subprocess.Popen(command, preexec_fn=pin(core), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_port(port)

    def group(self):
        for p in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.getpgid(int(p.name)) == self.process.pid:
                    yield p

    def cpu_s(self):
        """User and system time of all threads, exited children included, to the nanosecond where there is one."""
        total = 0.0
        for p in self.group():
            with contextlib.suppress(OSError):
                for t in (p / "task").iterdir():
                    total += int((t / "schedstat").read_text().split()[0]) / 1e9
        return total

    def rss_kb(self):
        total = 0
        for p in self.group():
            with contextlib.suppress(OSError):
                m = re.search(r"^Rss:\s+(\d+)", (p / "smaps_rollup").read_text(), re.M)
                total += int(m.group(1)) if m else 0
        return total

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def wrk(port, path, seconds, keep_alive, connections, script):
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}{path}"]
    if not keep_alive:
        command[4:4] = ["-H", "Connection: close"]
    if path == "/upload":
        command[4:4] = ["-s", str(script)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", out)
    if errors and keep_alive:
        raise SystemExit(f"{errors.group(0)} on port {port}")
    return int(re.search(r"(\d+) requests in", out).group(1))


def measure(server, port, path, seconds, keep_alive, connections, script):
    wrk(port, path, 1, keep_alive, connections, script)
    before = server.cpu_s()
    requests = wrk(port, path, seconds, keep_alive, connections, script)
    return (server.cpu_s() - before) / requests * 1e6


def candidates(d):
    def conf(name, text, **kw):
        path = d / name
        path.write_text(text.format(dir=d, origin=ORIGIN, **kw))
        return str(path)

    def haproxy(key, options):
        return ["haproxy", "-db", "-f", conf(f"{key}.cfg", HAPROXY, port=PORTS[key], options=options)]

    def nginx(key, text):
        return ["nginx", "-c", conf(f"{key}.conf", text, port=PORTS[key])]

    return {
        "lbd": [str(BUILD / "lbd"), "-c", conf("lbd.conf", LBD, port=PORTS["lbd"]), "-r", str(d / "run")],
        "haproxy": haproxy("haproxy", ""),
        "haproxy splice": haproxy("haproxy splice", "option splice-response\n  option splice-request"),
        "nginx": nginx("nginx", NGINX_PROXY),
        "edged": [str(BUILD / "edged"), "-c", conf("edged.conf", EDGED, port=PORTS["edged"]), "-r", str(d / "run")],
        "varnish": ["varnishd", "-F", "-n", str(d / "varnish"), "-a", f"127.0.0.1:{PORTS['varnish']}", "-f",
                    conf("default.vcl", VCL), "-s", "malloc,128m", "-T", "none"],
        "nginx cache": nginx("nginx cache", NGINX_CACHE),
    }


BALANCERS = ("lbd", "haproxy", "nginx")
SPLICERS = ("lbd", "haproxy splice", "haproxy", "nginx")
UPLOADERS = ("lbd", "haproxy splice", "haproxy")  # nginx would store it first
CACHES = ("edged", "nginx cache", "varnish")
# (row, path, kept alive, connections, candidates: ours first)
ROWS = [
    ("balance, 1 KB, 32 kept connections", "/1k", True, 32, BALANCERS),
    ("balance, 1 KB, 256 kept connections", "/1k", True, 256, BALANCERS),
    ("balance, 64 KB, 32 kept connections", "/64k", True, 32, BALANCERS),
    ("balance, 1 KB, a connection each", "/1k", False, 32, BALANCERS),
    ("balance, 1 MB, 8 kept connections", "/1m", True, 8, SPLICERS),
    ("balance, 1 MB uploaded, 8 kept connections", "/upload", True, 8, UPLOADERS),
    ("hit, 1 KB, 32 kept connections", "/1k", True, 32, CACHES),
    ("hit, 1 KB, 256 kept connections", "/1k", True, 256, CACHES),
    ("hit, 64 KB, 32 kept connections", "/64k", True, 32, CACHES),
    ("hit, 1 KB, a connection each", "/1k", False, 32, CACHES),
]
# Row, peer, the most that ours may cost of the peer's.
PROMISES = [
    (0, "haproxy", 1.0),
    (0, "nginx", 1.0),
    (1, "haproxy", 1.0),
    (1, "nginx", 1.0),
    (4, "haproxy splice", 1.0),
    (5, "haproxy", 0.5),
    (7, "nginx cache", 0.75),
    (7, "varnish", 0.4),
]


def need(programs):
    missing = [p for p in programs if not shutil.which(p)]
    if missing:
        raise SystemExit(f"missing: {' '.join(missing)}; install haproxy, nginx-light, varnish, wrk")


def versions():
    def first(*command):
        out = subprocess.run(command, capture_output=True, text=True)
        return re.search(r"\d+\.\d+[\w.-]*", out.stdout + out.stderr).group(0)
    return (f"haproxy {first('haproxy', '-v')}, nginx {first('nginx', '-v')}, varnish {first('varnishd', '-V')}, "
            f"kernel {os.uname().release.split('-')[0]}")


def run(args):
    need(("haproxy", "nginx", "varnishd", "wrk", "taskset"))
    figures = {}
    memory = {}
    with tempfile.TemporaryDirectory(prefix="greenpi-bench-") as folder, contextlib.ExitStack() as stack:
        d = pathlib.Path(folder)
        d.chmod(0o755)
        for name, size in (("1k", 1024), ("64k", 65536), ("1m", 1 << 20)):
            (d / "www").mkdir(exist_ok=True)
            (d / "www" / name).write_bytes(b"x" * size)
        (d / "www").chmod(0o755)
        script = d / "upload.lua"
        script.write_text(UPLOAD)
        (d / "origin.conf").write_text(ORIGIN_CONF.format(dir=d, origin=ORIGIN))
        log = stack.enter_context(open(d / "log", "wb"))
        origin = Server(["nginx", "-c", str(d / "origin.conf")], 1, ORIGIN, log)
        stack.callback(origin.stop)
        servers = {}
        for name, command in candidates(d).items():
            servers[name] = Server(command, 0, PORTS[name], log)
            stack.callback(servers[name].stop)
            memory[name] = servers[name].rss_kb()
        for n in range(args.rounds):
            for row, path, keep, connections, names in ROWS:
                for name in names:
                    us = measure(servers[name], PORTS[name], path, args.seconds, keep, connections, script)
                    figures.setdefault((row, name), []).append(us)
                    print(f"round {n + 1}: {row}: {name} {us:.1f} us", file=sys.stderr)
    return figures, memory


def report(figures, memory, args):
    median = {k: statistics.median(v) for k, v in figures.items()}

    def ratio(row, ours, peer):
        """The median of the rounds' ratios: what the machine did in one round, it did to both."""
        return statistics.median(o / p for o, p in zip(figures[row, ours], figures[row, peer]))

    lines = ["# CPU time a request, beside the peers", "",
             f"`make bench BENCH_ARGS=\"--rounds {args.rounds} --seconds {args.seconds}\"`, "
             f"{time.strftime('%Y-%m-%d')}; {versions()}. Microseconds, medians of {args.rounds} rounds in one run; "
             "in brackets ours as a part of the peer's, the median of the rounds' ratios.", ""]
    for row, _, _, _, names in ROWS:
        cells = [f"**{names[0]} {median[row, names[0]]:.1f}**"] + \
            [f"{p} {median[row, p]:.1f} ({ratio(row, names[0], p):.2f})" for p in names[1:]]
        lines.append(f"- {row}: " + ", ".join(cells))
    lines += ["", "Resident memory after start, kB (Rss of all the program's processes): " +
              ", ".join(f"{n} {kb}" for n, kb in memory.items()), "", "Promises:", ""]
    broken = 0
    for r, peer, most in PROMISES:
        row, _, _, _, names = ROWS[r]
        part = ratio(row, names[0], peer)
        broken += part > most
        lines.append(f"- {row}: {names[0]} at most {most} of {peer}: {part:.2f}, {'BROKEN' if part > most else 'kept'}")
    return "\n".join(lines) + "\n", broken


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=int, default=4)
    p.add_argument("--write", action="store_true", help="keep the result in test/bench/RESULTS.md")
    args = p.parse_args()
    text, broken = report(*run(args), args)
    print(text)
    if args.write:
        (HERE / "RESULTS.md").write_text(text)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
