"""What a firmware author adds to the agent, in main.py before it starts.

policies[symbol in lower case] = (apply, revert): apply(agent, value, message, task) is a generator
that does the work in short pieces and may raise Failed or Incompatible; revert(agent, value) or
None. task: see tasks.py.
commands[name in lower case] = run: run(agent, message, retained) is a generator, too;
message is its JSON object.
position: a function that returns (latitude, longitude), or None while it knows none.
"""

policies = {}
commands = {}
position = None
owner = None  # a number for the enrollment, to which what policies keep belongs


def belong(number):
    """From now on what policies keep belongs to that enrollment."""
    global owner
    owner = number


class Failed(Exception):
    """The task could not be done; the text is for the log."""


class Incompatible(Exception):
    """This board cannot do that; the text is for the log."""
