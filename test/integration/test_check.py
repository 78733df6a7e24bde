# SPDX-License-Identifier: MIT
"""The diagnostic command `check` of the threaded daemons."""

import pytest


@pytest.mark.parametrize("name", ["lbd", "edged"])
def test_check_counts_what_there_is(lab, name):
    origin = lab.origin()
    extra = "[lb]\nworkers = 3\n"
    daemon = lab.lbd(pool=[origin], extra=extra) if name == "lbd" else lab.edged(origin, workers=3)

    def checked():
        reply = daemon.ask_json("check")
        assert reply["standstill"] == 1  # all three workers, though they have nothing else to do
        return reply["checked"]

    idle = checked()
    clients = [daemon.conn() for _ in range(20)]
    for c in clients:
        assert c.ask("/t/x?cc=no-store").status == 200
    assert checked() >= idle + 20
    for c in clients:
        c.close()
    # The next command of a connection waits for the reply; others do not.
    assert daemon.tell("check\nversion").startswith("checked ")
    assert "check: diagnostics" in daemon.tell("help")
