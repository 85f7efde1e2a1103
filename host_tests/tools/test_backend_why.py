"""What an administrator reads of devices, whatever they have sent: whole, and plain."""

import json

import pytest

from flyve_mdm import inventory
from flyve_mdm.backend.messagelog import MessageLog
from host_tests.kit import administrator

XML = """<REQUEST><CONTENT><BIOS><SSN>S1</SSN></BIOS>
<FAILEDTASKS><TASKID>1</TASKID><STATUS>failed</STATUS>
<REASON>no \u009b31m space</REASON></FAILEDTASKS>
<FAILEDTASKS><TASKID>7</TASKID></FAILEDTASKS><VERSIONCLIENT>v</VERSIONCLIENT></CONTENT></REQUEST>"""


@pytest.fixture
def flyve(backend, device):
    """Runs an administrator's command beside a device whose names would steer a terminal."""
    device(backend, serial="S1").enroll()
    agent = backend.agents[0]
    agent.name = "ann\x1b[31m\x7f\N{GRINNING FACE}"
    backend.admin.fleet(agent, "\x1b]0;title\x07")
    task = backend.tasks.policy(agent, "disableCamera", True)
    backend.state.status_of(task, agent).status = "failed"
    MessageLog(backend.state).received(f"{agent.topic}/Status/Inventory", XML)

    return lambda *args, code=0: administrator.flyve(backend, "admin", *args, code=code)


# A16 B3
def test_lists_are_whole_and_plain(flyve):
    heading, row = flyve("list").splitlines()
    assert "ann\ufffd[31m\ufffd\N{GRINNING FACE}  no" in row and "\ufffd]0;title\ufffd" in row
    assert heading.index("tasks") - 1 == row.index("disableCamera failed")  # a wide letter
    assert flyve("list", "--why").splitlines()[1].split() == [
        "17", "S1", "1", "disableCamera", "failed", "no", "\ufffd31m", "space",
    ]  # fmt: skip
    text = flyve("list", "--json")
    assert json.loads(text)[0]["email"].startswith("ann\x1b[31m\x7f")
    assert text.isascii() and not any(c < " " or c == "\x7f" for c in text.replace("\n", ""))


# A16 B3
def test_the_last_inventory_is_shown_as_a_table_or_as_it_came(flyve):
    lines = [line.split(None, 2) for line in flyve("inventory", "--last", "17").splitlines()]
    assert lines[0] == ["section", "name", "value"]
    assert ["FAILEDTASKS", "REASON", "no \ufffd31m space"] in lines
    assert ["BIOS", "SSN", "S1"] in lines
    assert flyve("inventory", "--last", "--xml", "17") == XML + "\n"
    assert "is the device online" in flyve("inventory", "--wait", "0", "17", code=1)


# A16
def test_a_name_that_cannot_be_printed_is_refused_in_plain_text(flyve):
    said = flyve("ping", "x\x1b[31m", code=2)
    assert (
        r"'x\x1b[31m' has characters in it that cannot be printed" in said and "\x1b" not in said
    )


# B3
def test_a_reason_that_has_not_come_yet_is_asked_for(flyve, backend):
    backend.state.messages.clear()
    assert "not told yet: flyve admin inventory 17" in flyve("list", "--why")


# B3
@pytest.mark.parametrize("xml", ["", "<", "<REQUEST/>", "<REQUEST><CONTENT/></REQUEST>"])
def test_an_inventory_without_sections_has_no_rows(xml):
    assert inventory.rows(xml) == inventory.failures(xml) == []
