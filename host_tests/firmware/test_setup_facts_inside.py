"""What the set-up page is to tell of the board."""

from flyve.jobs import nvs, setup_facts

BOARD = True


def test_nothing_that_moves_a_cursor_or_turns_the_writing_round_is_told():
    class Agent:
        settings = {"serial": "1\x1b[2J", "email": "a\r\n@b"}
        rec = {"state": "refused", "error": "a\u202eb\x00c", "helpdesk": "IT\u2066"}

    nvs.put("wifi", b'[["at\\u0007tic", ""]]')
    told = setup_facts.facts(Agent)
    assert (told["serial"], told["why"], told["contact"]) == (
        "1\ufffd[2J",
        "a\ufffdb\ufffdc",
        "IT\ufffd",
    )
    assert told["typed"] == {"ssid": "at\ufffdtic", "other": "", "email": "a  @b"}
