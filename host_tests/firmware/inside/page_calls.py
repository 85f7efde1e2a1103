"""Called in MicroPython by test_page.py."""

from flyve.jobs import page


def pieces(values, networks):
    """The page, piece by piece."""
    return [bytes(piece) for piece in page.render(values, networks)]


def policy():
    """What the page's server tells a browser to obey."""
    return page.POLICY
