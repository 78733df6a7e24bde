# SPDX-License-Identifier: MIT
"""Fixtures: `lab` is a namespace of the test's own for one daemon, `cluster` the four boards.

After each test its daemons are ended and their output is searched: a sanitizer's report, a daemon
that died by itself or does not obey SIGTERM fails the test. Then, or when the test itself failed,
configurations and logs are kept in the folder that the failure names.
"""

import os
import re
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lab.cluster import Cluster  # noqa: E402
from lab.daemon import build_dir  # noqa: E402
from lab.lab import Lab  # noqa: E402
from lab.netns import require_root  # noqa: E402


def pytest_configure(config):
    """The lab cleans up on SIGTERM as on Ctrl-C."""
    def end(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, end)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        item.failed_somewhere = True


def _finish(bench, request):
    """End the bench; the test fails for what its daemons did wrong, and its traces are kept."""
    try:
        wrong = bench.problems() + bench.end_daemons() + bench.reports()
        if wrong or getattr(request.node, "failed_somewhere", False):
            name = re.sub(r"[^\w.-]+", "_", request.node.nodeid.split("/")[-1])
            folder = os.path.join(build_dir(), "lab-logs", name)
            bench.keep(folder)
            print(f"configurations and logs of this test: {folder}")
        assert not wrong, "\n\n".join(wrong)
    finally:
        bench.close()


@pytest.fixture
def lab(request):
    """A namespace for this test, with makers of origins and daemons (lab/lab.py)."""
    require_root()
    bench = Lab(re.sub(r"\W+", "", request.node.name)[:20])
    yield bench
    _finish(bench, request)


@pytest.fixture
def cluster(request):
    """The four boards of conf/greenpi.conf, started, the VIP answering (lab/cluster.py)."""
    require_root()
    bench = Cluster()
    try:
        bench.start()
    except BaseException:
        request.node.failed_somewhere = True
        _finish(bench, request)
        raise
    yield bench
    _finish(bench, request)


@pytest.fixture
def cluster_of(request):
    """A maker of the same cluster with some daemons only and nothing started: cluster_of("vipd")."""
    require_root()
    made = []

    def make(*names):
        made.append(Cluster(names))
        return made[-1]
    yield make
    for bench in made:
        _finish(bench, request)
