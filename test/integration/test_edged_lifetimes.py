# SPDX-License-Identifier: MIT
"""What edged holds while it answers: nothing is sent from, or told to, what is already gone."""

import time

from lab.client import format_request
from lab.origin import format_head


def settled(value, seconds=0.5):
    """value() once it has not changed for that long."""
    seen, since = value(), time.monotonic()
    while time.monotonic() < since + seconds:
        time.sleep(0.01)
        if value() != seen:
            seen, since = value(), time.monotonic()
    return seen


# -- the head of an object whose body turns out empty

def test_a_head_waits_unharmed_for_a_slow_reader(lab):
    """A chunked response is complete, and empty, while its head waits in a full socket. Then the cache turns over."""
    mark = "H" * 7000

    def behave(call):
        if call.request.target.startswith("/empty"):
            call.send(format_head(200, [("Transfer-Encoding", "chunked"), ("Cache-Control", "max-age=600"),
                                        ("X-Mark", mark)]))
            time.sleep(0.004)  # a packet of its own
            call.send(b"0\r\n\r\n")
        else:
            call.answer(200, b"the text of another page " * 300, {"Cache-Control": "max-age=600"})

    o = lab.origin(behave)
    e = lab.edged(o, memory="1M", max_object="64K", workers=1)
    with e.conn() as c:
        c.send(b"".join(format_request(f"/empty{i}") for i in range(2000)))
        asked = settled(lambda: o.hits)
        assert asked < 2000, "the socket never filled"
        for i in range(400):
            assert e.get(f"/other{i}").status == 200
        for i in range(asked):
            answer = c.read()
            assert (answer.status, answer.header("X-Mark") == mark, answer.body) == (200, True, b""), f"answer {i}"
