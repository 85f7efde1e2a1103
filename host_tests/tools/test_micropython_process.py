"""The fixture `upy`: calls into a MicroPython process, and what becomes of it on trouble."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyve_mdm.micropython.child import Hang, Stopped
from flyve_mdm.micropython.process import Interpreter, RemoteError

DEADLINE = 10

# What JSON keeps; MicroPython's numbers beyond 2**62 and its 32-bit exponents are not its matter.
_text = st.text(st.characters(exclude_categories=["Cs"]))
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _text | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(_values, max_size=3))
@settings(max_examples=60, deadline=None)
def test_values_come_back_as_they_were_sent(upy, values):
    assert upy.call("calls", "echo", *values) == values


def test_a_megabyte_of_bytes():
    data = bytes(range(256)) * 4096
    with Interpreter(Path(__file__).parent / "inside", heap="8M") as large:
        assert large.call("calls", "echo", data) == [data]


def test_what_is_printed_is_kept_apart(upy):
    assert upy.call("calls", "noisy", "no line end") == "no line end"
    assert upy.output == "no line end"


def test_an_exception_is_named(upy):
    with pytest.raises(RemoteError, match="no good") as raised:
        upy.call("calls", "fail")
    assert raised.value.name == "ValueError"
    assert "in fail" in str(raised.value)


def test_a_result_without_json_form_is_an_error(upy):
    with pytest.raises(RemoteError, match="not JSON"):
        upy.call("calls", "unfit")
    assert upy.call("calls", "echo", 1) == [1]


def test_after_a_crash_there_is_a_new_process(upy):
    with pytest.raises(Stopped, match="SIGKILL"):
        upy.call("calls", "crash")
    assert upy.call("calls", "count") == 1
    assert upy.call("calls", "count") == 2


def test_a_hang_ends_at_the_deadline_and_says_where(upy):
    with pytest.raises(Hang, match="in hang"):
        upy.call("calls", "hang", deadline=0.5)
    assert upy.call("calls", "count") == 1


def test_restart_forgets(upy):
    upy.call("calls", "count")
    upy.restart()
    assert upy.call("calls", "count") == 1
