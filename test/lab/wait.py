# SPDX-License-Identifier: MIT
"""Waiting for a condition: the only way in which a test lets time pass."""

import time


def wait_until(predicate, deadline=5.0, what=None, every=0.01):
    """Call predicate() until it is true, return its value; AssertionError after deadline seconds.

    `what` says in words what was waited for. The predicate is always called once more after the
    deadline, so that a machine that slept does not turn a fulfilled condition into a failure.
    """
    end = time.monotonic() + deadline
    while True:
        late = time.monotonic() >= end
        value = predicate()
        if value:
            return value
        if late:
            name = what or getattr(predicate, "__name__", "condition")
            raise AssertionError(f"waited {deadline:g} s in vain: {name}; last value {value!r}")
        time.sleep(every)


def stays(predicate, seconds, what=None, every=0.02):
    """Assert that predicate() is true now and whenever it is asked during that many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        assert value, f"did not last {seconds:g} s: {what or predicate}"
        if time.monotonic() >= end:
            return value
        time.sleep(every)
