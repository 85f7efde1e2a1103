"""`flyve demo --phone`: the story is told as the backend saw it, or not at all."""

import re

from click.testing import CliRunner

from flyve_mdm import demo, story
from flyve_mdm.patience import stretched


def test_a_phone_brings_a_board_online_and_the_timeline_tells_how():
    result = CliRunner().invoke(demo.demo, ["--phone", "--plain"])
    assert result.exit_code == 0, result.output
    at = 0
    for told in (
        "admin   invites ada@example.org", "setup: network Flyve-", "by the QR code of the label",
        "flyve.org is 192.168.4.1", "is led to http://192.168.4.1/ (303)", "networks: flyve",
        "sees: Joining flyve", "sees: Joined flyve", "creates agent 17", "sees agent 17 online",
        "after power-on, without a command", "every step was seen by the backend",
    ):  # fmt: skip
        assert told in result.output[at:], result.output
        at = result.output.index(told, at)
    assert not re.search(r"data=\w{12}", result.output), "a token may be told"


def test_a_step_that_the_backend_has_not_seen_ends_it(monkeypatch):
    monkeypatch.setattr(story.Story, "seen", lambda self, kind: [])
    monkeypatch.setattr(story, "WAIT", 0.1)
    result = CliRunner().invoke(demo.demo, ["--phone", "--plain"])
    assert result.exit_code == 1
    why = f"the backend has not seen `session opened` within {stretched(0.1):g} s"
    assert f"Error: {why}" in result.output
