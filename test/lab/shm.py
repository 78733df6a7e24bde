# SPDX-License-Identifier: MIT
"""The daemons' shared-memory tables, read as any other process would: counters and verdicts.

The layouts are those of common/ipc/shmem.h, stats.h and health.h, whose numbers are repeated here
so that a change of layout breaks a test instead of passing unseen.
"""

import struct
import time

HEADER = struct.Struct("<IIIIQQ4Q")
DIRECTORY = struct.Struct("<IIIII11I")
KIND = struct.Struct("<24s68sIIIIIIIII")
COUNTER = struct.Struct("<40s23sc192s")
NAME_SIZE = 128
VERDICT = struct.Struct("<Q64sqqIIIIIIII104s")
MASK = (1 << 64) - 1  # a worker's gauge may be below zero
STATS_MAGIC, STATS_LAYOUT, HEALTH_MAGIC = 0x47505354, 2, 0x47504845
STATES = ("unknown", "up", "down")
RESULTS = ("INI", "L4OK", "L4CON", "L4TOUT", "L7OK", "L7STS", "L7RSP", "L7TOUT", "SOCKERR")


def _read(path, magic, wanted=1):
    with open(path, "rb") as f:
        data = f.read()
    found, layout, size, pid, _unused, heartbeat_us = HEADER.unpack_from(data)[:6]
    told = f"{path}: {found:#x} layout {layout} size {size}"
    assert (found, layout, size) == (magic, wanted, len(data)), told
    return data, {"pid": pid, "heartbeat_us": heartbeat_us}


def _text(raw):
    return raw.split(b"\0", 1)[0].decode()


def header(path):
    """{pid, heartbeat_us} of any table."""
    with open(path, "rb") as f:
        fields = HEADER.unpack(f.read(HEADER.size))
    return {"pid": fields[3], "heartbeat_us": fields[5]}


def stats(path):
    """All counters of a daemon's process as {name: value}."""
    return objects(path, "process")[""]


def objects(path, wanted):
    """All objects of a kind as {name: {counter: value}}; the only one of its kind has the name ""."""
    data, _ = _read(path, STATS_MAGIC, STATS_LAYOUT)
    kinds, _, workers, kinds_at, counters_at = DIRECTORY.unpack_from(data, HEADER.size)[:5]
    rows = [KIND.unpack_from(data, kinds_at + i * KIND.size) for i in range(kinds)]
    (row,) = [r for r in rows if _text(r[0]) == wanted]
    _, _, n, first, _, stride, names_at, cells_at, single, used, shared = row
    counters = [COUNTER.unpack_from(data, counters_at + (first + i) * COUNTER.size) for i in range(n)]

    def value(slot, i):
        cells = [struct.unpack_from("<Q", data, cells_at + ((slot * workers + w) * stride + i) * 8)[0]
                 for w in range(workers)]
        kind = counters[i][2]
        total = max(cells) if kind == b"m" else sum(cells) & MASK
        return total - (MASK + 1) if kind == b"g" and total >> 63 else total

    def name(slot):
        return "(others)" if slot == 0 else _text(data[names_at + slot * NAME_SIZE:][:NAME_SIZE])

    slots = {"": 0} if single else {name(s): s for s in range(0 if shared else 1, used)}
    return {o: {_text(c[0]): value(slot, i) for i, c in enumerate(counters)} for o, slot in slots.items()}


def health(path):
    """All verdicts as {name: {state, result, code, reason, health, ...}}; see _verdict()."""
    for _ in range(100):
        first, second = _read(path, HEALTH_MAGIC)[0], _read(path, HEALTH_MAGIC)[0]
        records = _records(second)
        if first[128:] == second[128:] and all(r[0] % 2 == 0 for r in records):
            return {_text(r[1]): _verdict(r) for r in records}
        time.sleep(0.001)
    raise AssertionError(f"{path} does not hold still")


def _records(data):
    count, size = struct.unpack_from("<II", data, HEADER.size)
    assert size == VERDICT.size, f"a record of {size} bytes"
    return [VERDICT.unpack_from(data, 128 + i * size) for i in range(count)]


def _verdict(r):
    _, _, since, checked, state, result, code, latency, health_, rise, fall, changes, reason = r
    return {"state": STATES[state], "result": RESULTS[result], "code": code, "latency_us": latency,
            "since_s": since, "checked_s": checked, "health": health_, "rise": rise, "fall": fall,
            "changes": changes, "reason": _text(reason)}
