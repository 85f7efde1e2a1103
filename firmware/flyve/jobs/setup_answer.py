"""How a request of a phone is answered: what reads it, a form, a link, and what makes the page are
in memory one after the other."""

from flyve import memory


def answer(box, request, make_room):
    """What http_server.Server asks for. box: setup_facts.py's; make_room() is called before more
    is done than to look at the request: what a phone asks by itself, again and again, takes
    little."""
    status, place, errors = _asked(box, request, None)
    if status is None or errors is not None:
        make_room()
    if status is None:
        asks = _asked
        if place is None:
            asks = _sent
            status, place, errors = _sent(box, request, None)
        if status is None:
            status, place, errors = asks(box, request, _taken(box, place))
    return status, place, None if errors is None else _page(box, errors)


def _asked(box, request, wrong):
    try:
        from flyve.jobs import setup_page

        return setup_page.answer(box, request, wrong)
    finally:
        setup_page = None
        memory.drop("setup_page")


def _sent(box, request, wrong):
    try:
        from flyve.jobs import setup_sent

        return setup_sent.answer(box, request, wrong)
    finally:
        setup_sent = None
        memory.drop("setup_sent")


def _taken(box, link):
    try:
        from flyve.jobs import setup_link

        return setup_link.take(box, link)
    finally:
        setup_link = None
        memory.drop("setup_link")


def _page(box, errors):
    """The page's policy, and the pieces of the page."""
    try:
        from flyve.jobs import setup_page

        values = setup_page.shown(box, errors)
        setup_page = None
        memory.drop("setup_page")
        from flyve.jobs import page

        yield page.POLICY
        yield from page.render(values, box["networks"])
        if values.get("joined"):
            box["told"] = True
    finally:  # a phone may go away
        setup_page = page = None
        memory.drop("setup_page", "page")
