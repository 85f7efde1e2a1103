"""Whether the backend has a task for this agent, from what it answers to a search."""

from flyve import log
from flyve.jobs import rest_error, rows
from flyve.transport import NetError

BOARD = True
log.sink = lambda line: None


class Online:
    rec = {"agent_id": "17"}


def answered(found):
    """The backend answers so from now on: the values that were found, or an error."""
    asked = []

    def pick(*what):
        asked.append(what)
        if isinstance(found, Exception):
            raise found
        return found

    rows._pick, rows._client = pick, lambda online: None
    return asked


def raised(call, *args):
    try:
        call(*args)
    except NetError as e:
        return e
    raise AssertionError("nothing raised")


def test_the_search_names_the_agent_and_the_task():
    asked = answered({"data.0.2": 5})
    assert rows.row(Online, "9") == 5
    assert asked[0][2] == "search/PluginFlyvemdmTaskstatus"
    assert asked[0][4].split("&") == [
        "criteria[0][field]=5", "criteria[0][searchtype]=equals", "criteria[0][value]=17",
        "criteria[1][field]=6", "criteria[1][searchtype]=equals", "criteria[1][value]=9",
        "forcedisplay=2",
    ]  # fmt: skip


def test_a_task_that_the_backend_does_not_have_is_not_ours():
    for count in (0, "0"):
        answered({"totalcount": count})
        assert rows.row(Online, "9") is None and not rows.ours(Online, "9", True)
    answered({"data.0.2": 0})
    assert rows.row(Online, "9") == 0 and rows.ours(Online, "9", True)


def test_an_answer_without_a_number_of_rows_says_nothing():
    for found in ({}, {"totalcount": 1}, {"totalcount": None}):
        answered(found)
        assert raised(rows.row, Online, "9").code == "NO_COUNT"
        assert rows.ours(Online, "9", False)
        assert raised(rows.ours, Online, "9", True).code == "NO_COUNT"


def test_who_must_know_asks_again_unless_the_backend_itself_refuses():
    refusal = rest_error.RestError(403, "ERROR_RIGHT_MISSING", "no")
    gone = rest_error.RestError(401, "ERROR_GLPI_LOGIN_USER_TOKEN", "no")
    away = NetError("closed", "away")
    memory = NetError("memory", "no room")
    for error, must, told in (
        (refusal, True, True), (refusal, False, True), (gone, True, False), (gone, False, True),
        (away, True, False), (away, False, True), (memory, True, False), (memory, False, False),
    ):  # fmt: skip
        answered(error)
        if told:
            assert rows.ours(Online, "9", must), (error, must)
        else:
            assert raised(rows.ours, Online, "9", must) is error, (error, must)
