"""The radio's switch of MicroPython's `bluetooth`; nobody is in the air of a virtual board."""


class BLE:
    """All objects are the one radio, as in the real module."""

    _on = False

    def active(self, on=None):
        """Switches the radio, or says whether it is on."""
        if on is not None:
            BLE._on = bool(on)
        return BLE._on
