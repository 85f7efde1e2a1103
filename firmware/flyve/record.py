"""The agent's durable record; jobs/record_slots.py has where it is kept."""

from flyve import memory


class Record:
    """A dict of JSON values that survives power cuts; `state` and all the rest are keys of it.
    Made of what record_slots.load() returns."""

    def __init__(self, values, sequence, newest):
        self.values = values
        self._sequence = sequence
        self._newest = newest  # of the two slots

    def get(self, key, default=None):
        """The value of key, or default."""
        return self.values.get(key, default)

    def save(self, scrub=False, **changes):
        """Makes the changes durable, all or none; None removes a key. With scrub, no older
        version of the record stays readable afterwards. Raises OSError when it grew too big or
        NVS refuses, and MemoryError; the values in RAM are then unchanged."""
        for key in changes:
            if changes[key] != self.values.get(key):
                break
        else:
            if not scrub:
                return
        try:
            from flyve.jobs import record_slots as slots

            self.values, self._sequence, self._newest = slots.write(
                self.values, changes, self._sequence, self._newest, scrub
            )
            if scrub:
                slots.erase(1 - self._newest)
        finally:
            slots = None  # mutants: else it goes at the next collection
            memory.drop("record_slots")
