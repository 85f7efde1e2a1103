"""When a trial ends, when crashes are forgotten, and which slot a new agent comes to."""

import os
import sys

from flyve import log
from flyve.jobs import board_facts, nvs, update

BOARD = True

STABLE = 300000  # ms, after which the start is over
LOOK = 1000  # ms between two looks of an update on trial


class Link:
    up = True


class Online:
    def __init__(self, since):
        self.since = since
        self.link = Link()
        self.looked = 0

    def look(self):
        self.looked += 1


class Agent:
    settings = {"trial": 600, "stable": 120, "setup": "auto"}
    online = wifi = job = None
    rec = {"state": "invited"}

    def __init__(self, trial=False):
        self.trial = trial
        self.told = []

    def restart(self, why):
        self.told.append(why)

    def begin_anew(self, what):
        self.told.append(what)


def settled(agent, up):
    """What settle() says of the agent at that uptime."""
    true, log.uptime = log.uptime, lambda: up
    try:
        return update.settle(agent)
    finally:
        log.uptime = true


def state(**fields):
    """Makes these fields of the state, and only these, durable."""
    nvs.put_int("update", 0)
    update._put(update._get(), **fields)


def test_a_trial_that_is_never_online_is_restarted():
    agent = Agent(True)
    assert settled(agent, 600_000) == (LOOK, True) and agent.told == []
    agent.online = Online(None)
    assert settled(agent, 600_001) == (LOOK, True)
    assert agent.told == ["the update did not come online in time"]


def test_a_trial_ends_when_it_has_been_online_for_long_enough():
    agent = Agent(True)
    agent.online = Online(50_000)
    assert settled(agent, 169_999) == (LOOK, True) and not agent.online.looked
    agent.online.link.up = False
    assert settled(agent, 170_000) == (LOOK, True) and not agent.online.looked
    agent.online.link.up = True
    assert settled(agent, 170_000) == (STABLE - 169_999, False)
    assert agent.online.looked == 1
    assert agent.told == []


def test_crashes_are_forgotten_when_the_start_is_over():
    nvs.put_int("crashes", 3)
    assert settled(Agent(), STABLE - 5000) == (5001, False)
    assert settled(Agent(), STABLE) == (1, False) and nvs.get_int("crashes") == 3
    assert settled(Agent(), STABLE + 1) == (None, False) and nvs.get_int("crashes") == 0


def test_who_has_an_invitation_and_no_way_to_the_backend_gets_the_page():
    with open("/deeplink", "w") as f:
        f.write("x")
    try:
        agent = Agent()
        assert settled(agent, STABLE) == (1, False) and agent.told == []
        agent.job = "busy"
        assert settled(agent, STABLE + 1) == (LOOK, False) and agent.told == []
        agent.job = None
        settled(agent, STABLE + 1)
        assert agent.told == ["wifi"] and "flyve.jobs.invitation" not in sys.modules
        agent = Agent()
        agent.wifi = object()  # what joins for the page
        assert settled(agent, STABLE + 1) == (None, False) and agent.told == []
        agent = Agent()
        agent.rec = {"state": "enrolled"}
        assert settled(agent, STABLE + 1) == (None, False) and agent.told == []
    finally:
        os.remove("/deeplink")


def test_five_crashes_in_a_row_are_too_many():
    for count, safe in ((0, False), (4, False), (5, True), (99, True)):
        nvs.put_int("crashes", count)
        assert update.crashes() == count and update.safe_mode() is safe
    nvs.put_int("crashes", -1)
    assert update.crashes() == 0
    nvs.erase("crashes")
    assert update.crashes() == 0


def test_a_crash_that_nvs_could_not_count_is_as_good_as_too_many():
    nvs.put_int("crashes", 1)
    main = __import__("__main__")
    main.uncounted = 99
    try:
        assert update.crashes() == 99
    finally:
        del main.uncounted


def test_crashes_that_nvs_does_not_tell_are_none():
    def refuse(key):
        raise OSError(5)

    true, nvs.get_int = nvs.get_int, refuse
    try:
        assert update.crashes() == 0
    finally:
        nvs.get_int = true


def test_a_new_agent_comes_to_a_slot_that_nothing_falls_back_to():
    for slot, previous, number, left in (
        (0, 0, 1, 0), (1, 1, 2, 1), (2, 1, 1, 1), (1, 3, 2, 1), (2, 2, 1, 1), (0, 2, 1, 0),
        (0, 3, 1, 3),
    ):  # fmt: skip
        state(slot=slot, previous=previous)
        assert update.spare() == (number, "/flyve." + "?ab"[number]), (slot, previous)
        assert update._get()["previous"] == left, (slot, previous)


def test_the_slots_that_are_needed_are_those_in_use_on_trial_and_to_fall_back_to():
    state()
    assert update.slots() == ["flyve.?"] * 3 and not update.in_slot()
    state(slot=1, trial=2, previous=3)
    assert update.slots() == ["flyve.a", "flyve.b", "flyve.b"] and update.in_slot()
    for one in ("slot", "trial"):
        state(**{one: 1})
        assert update.in_slot()


def test_boot_py_finds_each_field_in_its_bits():
    for name, at in (
        ("slot", 0), ("trial", 2), ("tries", 4), ("ended", 6), ("partition", 8), ("previous", 16),
        ("other", 18), ("fallen", 19),
    ):  # fmt: skip
        state(**{name: 1})
        assert nvs.get_int("update") == 1 << at, name
        assert update._get()[name] == 1 and sum(update._get().values()) == 1


class Running:
    """The partition that runs."""

    marked = 0

    def info(self):
        return 0, 17, 0x10000, 0x180000, "ota_1", False

    def mark_app_valid_cancel_rollback(self):
        self.marked += 1


def test_an_image_on_trial_is_kept_and_the_other_is_what_to_fall_back_to():
    true = board_facts.running
    try:
        for partition, fallen, status, other in (
            (17, 0, "confirmed", 1), (17, 1, "confirmed", 0), (16, 0, "failed", 0),
        ):  # fmt: skip
            running = Running()
            board_facts.running = lambda: running  # noqa: B023
            state(partition=partition, fallen=fallen)
            update.confirm()
            assert (update.status(), update._get()["other"]) == (status, other)
            assert running.marked == (status == "confirmed")
    finally:
        board_facts.running = true


def test_an_image_that_is_given_up_is_nothing_to_fall_back_to():
    state(slot=1, previous=1, other=1)
    update.give_up_image()
    assert update._get() == dict(update._settled(update._get()), slot=1, previous=1)


def test_an_image_on_trial_forgets_the_trial_before_it():
    state(slot=2, ended=1, tries=2, fallen=1, other=1)
    update.try_image(17)
    found = update._get()
    assert found["partition"] == 17 and found["slot"] == 2
    assert [found[name] for name in ("ended", "tries", "fallen", "other", "trial")] == [0] * 5


def test_a_slot_on_trial_forgets_the_trial_before_it():
    state(slot=1, ended=2, tries=3, previous=1)
    update.try_slot(2)
    found = update._get()
    assert (found["trial"], found["slot"], found["previous"]) == (2, 1, 1)
    assert (found["ended"], found["tries"]) == (0, 0)
