"""From a deeplink to credentials, each step durable before the next.

Record keys: state (invited, created, enrolled or refused), link (which deeplink it is about),
posting (the POST may have reached the backend), agent_id, and with `enrolled` the credentials.
"""

from micropython import const

from flyve import board, log, memory
from flyve.transport import NetError

_LOOK_MS = const(5000)  # how often to look for a deeplink
_AGAIN_MS = const(300000)  # the old enrollment is in force so long before another is tried again


def run(agent):
    """A job: enrolls by the deeplink on the flash; returns True when there is none. Raises
    NetError when it is worth trying again; the record then stands where it can go on."""
    rec = agent.rec
    if rec.get("state") == "enrolled":
        yield from _replace(agent)
        return False
    from flyve.jobs import invitation

    if not invitation.waiting():
        agent.invited.after(_LOOK_MS)
        if not agent.told:
            if rec.get("state") in ["invited", "created"]:
                log.error("enrollment", "the deeplink is gone: provision it again")
            log.info("agent", "waiting for a deeplink")
            if rec.get("state") != "refused":
                _light(agent, "off")
        return True
    invitation = None
    invited, mark, refusal = _read()
    if not refusal:
        refusal = yield from _enroll(agent, invited, mark)
    from flyve.jobs import invitation

    if refusal:
        invitation.refuse(rec, refusal)
        _light(agent, "trouble")
        if agent.settings.get("setup") != "off":
            agent.begin_anew("wifi")  # with the set-up page
    else:
        invitation.discard()
        log.info("enrollment", "enrolled id=%s", rec.get("agent_id"))
    agent.invited.after(0)
    return False


def _light(agent, what):
    if agent.settings.get("led") is None:
        return
    try:
        from flyve.jobs import led

        led.show_alone(what)
    except MemoryError:
        pass  # only the LED is wrong
    finally:
        led = None
        memory.drop("led")


def _read():
    """Invitation and mark of the deeplink on the flash, and None; or the third is why it is
    refused. Before there is the rest of the enrollment, which takes as much memory as a long
    deeplink."""
    from flyve.jobs import invitation

    try:
        return invitation.read() + (None,)
    except ValueError as e:
        return None, None, "DEEPLINK " + str(e)
    finally:
        invitation = None
        memory.drop("invitation")


def _begin(agent, invited, mark):
    """Makes it durable that an enrollment by this deeplink has begun, or goes on."""
    rec = agent.rec
    if rec.get("link") == mark and rec.get("state") in ["invited", "created"]:
        return
    agent.invited.reset()
    # The record may have been lost without them.
    from flyve.jobs import erasing

    erasing.leftovers()
    erasing = None
    memory.drop("erasing")
    rec.save(
        state="invited",
        link=mark,
        agent_id=None,
        posting=None,
        helpdesk=invited.name,
        error=None,
    )
    log.info("enrollment", "invited to %s", invited.url)


def _enroll(agent, invited, mark):
    """Enrolls; returns why that is refused, or None."""
    rec, settings = agent.rec, agent.settings
    _know(invited)
    _begin(agent, invited, mark)
    yield
    from flyve.jobs import enrollment_steps as steps

    api = _client(invited.url, settings)
    memory.drop("rest_client")
    try:
        user = steps.opened(api, invited)
        yield
        if rec.get("state") == "invited":
            steps.create(api, rec, settings, invited, user)
            memory.drop("glpi", "body")
            log.info("enrollment", "created id=%s", rec.get("agent_id"))
            yield
        steps.credentials(api, rec, settings, invited, mark, user)
    except steps.Refusal as e:
        return str(e)
    finally:
        _close(api)
    _know(None)


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _client(*what):
    from flyve.jobs import rest_client

    return rest_client.client(*what)


def _close(api):
    from flyve.jobs import glpi

    glpi.close(api)


def _know(invited):
    """Keeps the tokens of an invitation out of the log; None: they are of no use any more."""
    log.secret("user", invited and invited.user_token)
    log.secret("invitation", invited and invited.invitation_token)


class _Aside:
    """Takes the place of the record while the old enrollment is in force."""

    def __init__(self, rec):
        self.values = {"posting": rec.get("posting")}
        self._rec = rec

    def get(self, key, default=None):
        return self.values.get(key, default)

    def save(self, **changes):
        self.values.update(changes)
        if changes.get("posting"):
            self._rec.save(posting=True)  # a cut may come before the answer


def _replace(agent):
    """A job: another deeplink has come to an enrolled agent, which is not online meanwhile: there
    is the memory for one enrollment. Only when the other one has created a new agent is the old
    one given up; when it is refused, the old one goes on."""
    rec = agent.rec
    aside = _Aside(rec)
    try:
        invited, mark, refusal = _read()
        same = not refusal and invited.url == rec.get("url")
        if not refusal:
            refusal = yield from _create(agent, aside, invited, mark, same)
    except MemoryError:
        raise
    except Exception as e:
        if isinstance(e, NetError) and e.kind == "memory":
            raise
        agent.report("enrollment", e)
        log.info("enrollment", "next try in %d ms", _AGAIN_MS)
        agent.invited.after(_AGAIN_MS)
        return
    finally:
        _know(None)
    if refusal:
        log.error("enrollment", "refused %s", refusal)
        log.error("agent", "the other deeplink is discarded, the old enrollment goes on")
        from flyve.jobs import invitation

        invitation.discard()
        rec.save(posting=None)
        return
    log.info("enrollment", "created id=%s", aside.get("agent_id"))
    if same:
        from flyve.jobs import erasing

        erasing.end(agent)
        board.reset(True)
    log.info("agent", "another deeplink: leaving first")


def _create(agent, aside, invited, mark, same):
    """Makes another agent in GLPI, with which the old one ends: at once at the same backend, else
    it leaves first. Returns why that is refused, or None."""
    _know(invited)
    from flyve.jobs import enrollment_steps as steps

    api = _client(invited.url, agent.settings)
    memory.drop("rest_client")
    yield
    try:
        user = steps.opened(api, invited)
        yield
        steps.create(api, aside, agent.settings, invited, user)
        # Before anything that takes time: the invitation is used up.
        state = "enrolled" if same else "leaving"
        agent.rec.save(renewed=[mark, aside.get("agent_id")], state=state, posting=None)
    except steps.Refusal as e:
        return str(e)
    finally:
        _close(api)
