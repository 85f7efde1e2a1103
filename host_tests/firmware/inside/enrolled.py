"""For tests of an enrolled board's parts: what they need of the agent."""

from flyve.jobs import config


class Agent:
    """rec: what the record has besides the topic."""

    user = job = None

    def __init__(self, **rec):
        self.notes = {}
        self.settings = config.load()[0]
        self.rec = {"topic": "76/agent/SN1"}
        self.rec.update(rec)
