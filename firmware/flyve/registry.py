"""What a firmware author adds to the agent, in main.py before it starts.

policies[symbol in lower case] = (apply, revert): apply(agent, value, message, task) is a generator
that does the work in short pieces and may raise Failed or Incompatible; revert(agent, value) or
None. task: see files.py.
commands[name in lower case] = run: run(agent, message, retained) is a generator, too;
message is its JSON object.
position: a function that returns (latitude, longitude), or None while it knows none.
"""

from flyve import log

policies = {}
commands = {}
position = None


class Failed(Exception):
    """The task could not be done; the text is for the log."""


class Incompatible(Exception):
    """This board cannot do that; the text is for the log."""


class Refused(Exception):
    """The backend will not have this invitation: only a new deeplink helps."""

    def __init__(self, code, message):
        super().__init__(code)
        self.code = code
        self.message = message

    def __str__(self):
        return "%s %s" % (self.code, self.message)


def told(task, e):
    """The status of a task that ended with Failed or Incompatible, once the log has the reason."""
    failed = isinstance(e, Failed)
    (log.error if failed else log.warn)("policies", "task %s %s: %s", task[0], task[1], e)
    return "failed" if failed else "incompatible"
