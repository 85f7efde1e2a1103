# A command is lost neither for want of memory nor by a failure on the way.

from enrolled import Agent as Enrolled

from flyve import jobs, log, registry
from flyve.online import Online

BOARD = True
log.sink = lambda line: None


class Agent(Enrolled):
    def __init__(self):
        super().__init__()
        self.failure = MemoryError
        self.ran = []
        self.failures = []

    def report(self, area, failure):
        self.failures.append(failure)


def obey(name):
    def run(agent, message, retained):
        if agent.failure:
            raise agent.failure("oops")
        agent.ran.append(name)
        yield

    return run


for name in ("lock", "wipe", "unenroll", "geolocate", "blink"):
    registry.commands[name] = obey(name)


def idle():
    state = Online(Agent())
    state.link.retry.left = lambda: 1000
    return state


def waiting(name):
    state = idle()
    payload = b'{"%s":"now"}' % name.lower().encode()
    state.receive("76/agent/SN1/Command/" + name, payload, False)
    return state.agent, state


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
    step(state)
    state.receive("76/agent/SN1/Command/Geolocate", b"{}", False)
    step(state)
    assert [entry[0] for entry in state.box["commands"]] == ["wipe", "geolocate"]


# A9
def test_what_never_has_the_memory_is_told_and_a_guarded_one_is_tried_another_way():
    for name, guarded in (("Wipe", True), ("Geolocate", False)):
        agent, state = waiting(name)
        for _ in range(9):
            step(state)
        assert not state.box["commands"] and len(agent.failures) == 1
        assert (name.lower() in state.box["guarded"]) == guarded


# A9
def test_a_lock_that_could_not_be_written_is_tried_again():
    agent, state = waiting("Lock")
    agent.failure = OSError
    step(state)
    assert state.box["guarded"]["lock"][0] == {"lock": "now"}


# A8
def test_a_command_of_an_author_may_not_leave_the_loop():
    agent, state = waiting("Blink")
    agent.failure = SystemExit
    step(state)
    assert not state.box["commands"] and len(agent.failures) == 1


def test_a_ping_is_answered_in_the_middle_of_a_wait_in_whatever_form_it_comes():
    state = idle()
    said = []
    state.link.say = lambda topic, payload: said.append((topic, payload))
    for payload in (b'{"query":"Ping"}', b'{"query": "PING"}', b' { "query" : "ping", "x": 1 } '):
        state.receive("76/agent/SN1/Command/Ping", payload, False)
        assert said.pop() == ("76/agent/SN1/Status/Ping", b"!") and not state.box["raw"]
    # Of a form that nobody sends: a turn of the loop later.
    for payload in (b'{\n\t"query":\n"ping"}', b'{"query":"\\u0070ing"}' + b" " * 99):
        state.receive("76/agent/SN1/Command/Ping", payload, False)
        step(state)
        assert said.pop() == ("76/agent/SN1/Status/Ping", b"!")
    for payload in (b'{"query":"pong"}', b'["query","ping"]', b"", None):
        state.receive("76/agent/SN1/Command/Ping", payload, False)
        step(state)
    assert not said and not state.box["raw"]


def test_what_comes_in_is_bounded_until_it_is_sorted_and_a_command_has_room_of_its_own():
    state = idle()
    box = state.box
    for number in range(20):
        state.receive("76/agent/SN1/Policy/x/Task/%d" % number, b"x" * 1000, True)
    assert len(box["raw"]) == 4 and box["overflow"]
    state.receive("76/agent/SN1/Command/Lock", b'{"lock":"now"}', True)
    assert len(box["raw"]) == 5
    for _ in range(3):
        for number in range(30):
            state.receive("76/agent/SN1/Command/C%d" % number, b"x" * 900, True)
    assert len(box["raw"]) == 6 and len(box["lost"]) == 16  # topics to be asked for again
    asked = []
    state.link.ask = lambda topics, gone: asked.extend(topics)
    state.agent.failure = None
    while state.step():
        pass
    state.step()
    assert len(asked) == 16 and not box["lost"] and not box["raw"]
    state.receive("76/agent/SN1/Policy/x/Task/19", b"x" * 4096, True)
    assert len(box["raw"]) == 1


def test_a_repeated_command_is_carried_out_once_but_not_dropped_for_the_one_at_hand():
    agent, state = waiting("Blink")
    agent.failure = None
    topic = "76/agent/SN1/Command/Blink"
    state.receive(topic, b'{"blink":"now"}', False)
    assert state.step() and agent.ran == ["blink"]
    state.receive(topic, b'{"blink":"now"}', False)
    while state.step():
        pass
    assert agent.ran == ["blink", "blink"]


def test_a_job_that_cannot_be_imported_costs_one_command():
    class Broke:
        def __getattr__(self, name):
            raise ValueError("incompatible .mpy file")

    agent, state = waiting("Blink")
    state.receive("76/agent/SN1/Command/Lock", b'{"lock":"now"}', False)
    agent.failure = None
    jobs.commands = Broke()
    try:
        assert not state.step() and len(agent.failures) == 1
    finally:
        del jobs.commands
    while state.step():
        pass
    assert agent.ran == ["lock"]
