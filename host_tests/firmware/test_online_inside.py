# A command is lost neither for want of memory nor by a failure on the way.

from flyve import log, online
from flyve.jobs import config
from flyve.online import Online

BOARD = True
log.sink = lambda line: None


class Agent:
    user = job = None

    def __init__(self):
        self.notes = {}
        self.settings = config.load()[0]
        self.rec = {"topic": "76/agent/SN1"}
        self.failure = MemoryError
        self.ran = []
        self.failures = []

    def report(self, area, failure):
        self.failures.append(failure)


def obey(state, name, message, retained):
    agent = state.agent
    if agent.failure:
        raise agent.failure("oops")
    agent.ran.append(name)
    yield


online._obey = obey


def waiting(name):
    agent = Agent()
    state = Online(agent)
    state.link.due = lambda: 1000
    state.inbox.sort(
        "76/agent/SN1",
        None,
        "76/agent/SN1/Command/" + name,
        b'{"%s":"now"}' % name.lower().encode(),
        False,
    )
    return agent, state


def step(state):
    # As agent.Agent does it.
    try:
        state.step()
    except MemoryError:
        state.idle()


# A9
def test_a_command_for_which_there_was_no_memory_is_carried_out_later():
    for name in ("Lock", "Wipe", "Unenroll", "Geolocate"):
        agent, state = waiting(name)
        step(state)
        step(state)
        agent.failure = None
        step(state)
        assert agent.ran == [name.lower()], name


# A9
def test_its_place_in_the_queue_stays_the_first():
    agent, state = waiting("Wipe")
    state.inbox.commands.append(("geolocate", {}, False))
    step(state)
    assert [entry[0] for entry in state.inbox.commands] == ["wipe", "geolocate"]


# A9
def test_what_never_has_the_memory_is_told_and_a_guarded_one_is_tried_another_way():
    for name, guarded in (("Wipe", True), ("Geolocate", False)):
        agent, state = waiting(name)
        for _ in range(9):
            step(state)
        assert not state.inbox.commands and len(agent.failures) == 1
        assert (name.lower() in state.guarded) == guarded


# A9
def test_a_lock_that_could_not_be_written_is_tried_again():
    agent, state = waiting("Lock")
    agent.failure = OSError
    step(state)
    assert state.guarded["lock"][0] == {"lock": "now"}


# A8
def test_a_command_of_an_author_may_not_leave_the_loop():
    agent, state = waiting("Blink")
    agent.failure = SystemExit
    step(state)
    assert not state.inbox.commands and len(agent.failures) == 1
