"""The end of an enrollment: unenrolled by the backend, or deleted there without a word."""

import time

from micropython import const

from flyve import board, log, resident, rest, transport
from flyve.backoff import Retry

_WAIT_MS = const(200)
_REPLACED_S = const(600)  # somebody has provisioned another deeplink, and waits beside the board
_HEARD_MS = const(500)  # what the broker has, the backend hears a little later
_REFUSALS = const(3)
_ACK = const(b'{"unenroll":"unenrolled"}')


def gone(agent):
    """True when the backend has deleted the agent. Raises NetError and RestError."""
    try:
        rest.resume(agent).pick("GET", "PluginFlyvemdmAgent/" + agent.rec.get("agent_id"), ["id"])
        return False
    except rest.RestError as e:
        if rest.is_gone(e):
            return True
        raise


def run(agent):
    """A job: acknowledges the unenrollment until the backend has deleted the agent, or for
    `unenroll_wait` seconds; then erases the enrollment and restarts the board."""
    link, rec = agent.link, agent.rec
    if rec.get("leaving") is None:
        rec.save(leaving=time.time())
    wait = agent.settings["unenroll_wait"]
    if resident.load("invitation").waiting():
        wait = min(wait, _REPLACED_S)
    retry = Retry()
    while True:
        if not link.up and getattr(link.reason, "code", 0) not in (4, 5):
            yield _WAIT_MS
        elif retry.left() > 0:
            yield min(_WAIT_MS, retry.left())
        else:
            # A broker that refuses us may have been told already.
            topic = link.topic + "/Status/Unenroll"
            if link.up and link.delivered(topic):
                link.publish(topic, _ACK, durable=True)
            while link.up and not link.delivered(topic):
                yield _WAIT_MS
            heard = Retry()
            heard.after(_HEARD_MS)
            while heard.left() > 0:
                yield heard.left()
            try:
                if gone(agent):
                    break
                log.info("agent", "the backend has not deleted us yet")
            except (transport.NetError, rest.RestError) as e:
                log.warn("agent", "unenrolling: %s", e)
            retry.failed()
        if time.time() - rec.get("leaving", 0) > wait:
            log.warn("agent", "the backend did not confirm the unenrollment")
            break
    resident.load("erase").end(agent)
    log.info("agent", "unenrolled")
    board.reset(True)


def doubt(agent):
    """A job: the broker refuses us; does the backend, too? After `orphan_after` seconds of that
    the agent is orphaned: its secrets go, and it waits for another deeplink."""
    rec = agent.rec
    api = rest.Rest(rec.get("url"), agent.settings)
    yield
    try:
        api.open(rec.get("api_token"))
        agent.session = api.session
        agent.refusals = 0
        rec.save(doubt=None)
        return
    except rest.RestError as e:
        if e.code != "ERROR_GLPI_LOGIN_USER_TOKEN":
            raise
    agent.refusals += 1
    if rec.get("doubt") is None:
        log.warn("agent", "broker and backend refuse us: was the agent deleted?")
        rec.save(doubt=time.time())
    elif (
        agent.refusals >= _REFUSALS
        and time.time() - rec.get("doubt") >= agent.settings["orphan_after"]
    ):
        resident.load("erase").end(agent, "orphaned")
        log.error("agent", "orphaned")
        board.reset(True)
