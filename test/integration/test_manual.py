# SPDX-License-Identifier: MIT
"""What the manual pages say of keys and counters is what the programs' own tables say."""

import os

import pytest

from lab.daemon import REPO, once

FOLDERS = {"lbd": "lb", "edged": "edge", "vipd": "vipd", "healthd": "healthd"}


@pytest.mark.parametrize("kind", ["man", "counters"])
@pytest.mark.parametrize("name", FOLDERS)
def test_the_manual_has_every_key_and_counter(name, kind):
    with open(os.path.join(REPO, FOLDERS[name], f"{name}.8"), encoding="utf-8") as f:
        page = f.read()
    said = once(name, "--doc", kind)
    assert said.returncode == 0 and said.stdout.count("\n.TP\n") > 4
    assert said.stdout in page, f"paste what `{name} --doc {kind}` prints into {name}.8"
