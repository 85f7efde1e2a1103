"""Called in MicroPython by flyve_mdm.measure.screens."""

from flyve.jobs import page as setup


def page(values, networks):
    """The set-up page as a board sends it."""
    return b"".join([bytes(piece) for piece in setup.render(values, networks)])
