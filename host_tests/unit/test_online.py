# A command is lost neither for want of memory nor by a failure on the way.

from flyve import config, log
from flyve.online import Online

BOARD = True
log.sink = lambda line: None


class Agent:
    trial = False
    session = user = None

    def __init__(self):
        self.settings = config.load()[0]
        self.rec = {"topic": "76/agent/SN1"}
        self.failure = MemoryError
        self.ran = []
        self.failures = []

    def load(self, module, name, *args):
        if self.failure:
            raise self.failure("oops")
        self.ran.append(args[0])
        yield

    def report(self, area, failure):
        self.failures.append(failure)


def waiting(name):
    agent = Agent()
    online = Online(agent)
    agent.link.due = lambda: 1000
    online.inbox.sort(
        "76/agent/SN1",
        None,
        "76/agent/SN1/Command/" + name,
        b'{"%s":"now"}' % name.lower().encode(),
        False,
    )
    return agent, online


def step(online):
    # As agent.Agent does it.
    try:
        online.step()
    except MemoryError:
        online.idle()


# A9
def test_a_command_for_which_there_was_no_memory_is_carried_out_later():
    for name in ("Lock", "Wipe", "Unenroll", "Geolocate"):
        agent, online = waiting(name)
        step(online)
        step(online)
        agent.failure = None
        step(online)
        assert agent.ran == [name.lower()], name


# A9
def test_its_place_in_the_queue_stays_the_first():
    agent, online = waiting("Wipe")
    online.inbox.commands.append(("geolocate", {}, False))
    step(online)
    assert [entry[0] for entry in online.inbox.commands] == ["wipe", "geolocate"]


# A9
def test_what_never_has_the_memory_is_told_and_a_guarded_one_is_tried_another_way():
    for name, guarded in (("Wipe", True), ("Geolocate", False)):
        agent, online = waiting(name)
        for _ in range(9):
            step(online)
        assert not online.inbox.commands and len(agent.failures) == 1
        assert (name.lower() in online.guarded) == guarded


# A9
def test_a_lock_that_could_not_be_written_is_tried_again():
    agent, online = waiting("Lock")
    agent.failure = OSError
    step(online)
    assert online.guarded["lock"][0] == {"lock": "now"}


# A8
def test_a_command_of_an_author_may_not_leave_the_loop():
    agent, online = waiting("Blink")
    agent.failure = SystemExit
    step(online)
    assert not online.inbox.commands and len(agent.failures) == 1
