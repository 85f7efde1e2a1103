"""The end of an enrollment: unenrolled by the backend, or deleted there without a word."""

from micropython import const

from flyve import board, log
from flyve.backoff import Retry
from flyve.transport import NetError

_WAIT_MS = const(200)
_REPLACED_S = const(600)  # somebody has provisioned another deeplink, and waits beside the board
_HEARD_MS = const(500)  # what the broker has, the backend hears a little later
_REFUSALS = const(3)
_KEEP_S = const(60)  # how much of a time spent a restart may lose
_ACK = const(b'{"unenroll":"unenrolled"}')


def _gone(online):
    """True when the backend has deleted the agent. Raises NetError and RestError."""
    from flyve.jobs import rest

    try:
        item = "PluginFlyvemdmAgent/" + online.rec.get("agent_id")
        rest.request(rest.resume(online), "GET", item)
        return False
    except NetError as e:
        if _is_gone(e):
            return True
        raise


def _is_gone(e):
    from flyve.jobs import rest_error

    return rest_error.is_gone(e)


def _spent(online, key):
    """Seconds of being on since the first call of this name, restarts included: the clock may be
    unset, or leap, meanwhile. key: the record's, under which what was spent before is kept."""
    now = log.uptime() // 1000
    if key not in online.notes:
        online.notes[key] = [now - online.rec.get(key, 0), now]
    began, kept = online.notes[key]
    if now - kept >= _KEEP_S:
        online.notes[key][1] = now
        try:
            online.rec.save(**{key: now - began})
        except OSError as e:
            log.error("record", "%s", e)
    return now - began


def run(online):
    """A job: acknowledges the unenrollment until the backend has deleted the agent, or for
    `unenroll_wait` seconds; then erases the enrollment and restarts the board."""
    link = online.link
    wait = online.settings["unenroll_wait"]
    from flyve.jobs import invitation

    if invitation.waiting():
        wait = min(wait, _REPLACED_S)
    retry = Retry()
    while True:
        if not link.up and not (link.reason and link.reason.code in [4, 5]):
            yield _WAIT_MS
        elif retry.left() > 0:
            yield min(_WAIT_MS, retry.left())
        else:
            # A broker that refuses us may have been told already.
            topic = link.topic + "/Status/Unenroll"
            if link.up and topic not in link.outbox:
                link.publish(topic, _ACK, durable=True)
            while link.up and topic in link.outbox:
                yield _WAIT_MS
            heard = Retry()
            heard.after(_HEARD_MS)
            while heard.left() > 0:
                yield heard.left()
            failure = None
            try:
                if _gone(online):
                    break
                log.info("agent", "the backend has not deleted us yet")
            except Exception as e:
                if isinstance(e, MemoryError):
                    raise
                log.warn("agent", "unenrolling: %s", e)
                failure = e
            retry.failed(failure)
        if _spent(online, "left_s") > wait:
            log.warn("agent", "the backend did not confirm the unenrollment")
            break
    _end(online)
    log.info("agent", "unenrolled")
    board.reset(True)


def doubt(online):
    """A job: the broker refuses us; does the backend, too? After `orphan_after` seconds of that
    the agent is orphaned: its secrets go, and it waits for another deeplink."""
    rec = online.rec
    from flyve.jobs import rest

    yield
    try:
        rest.open(rest.resume(online), rec.get("api_token"))
        online.notes.pop("refusals", None)
        online.notes.pop("doubt_s", None)
        rec.save(doubt_s=None)
        return
    except NetError as e:
        if not _is_gone(e):
            raise
    refusals = online.notes["refusals"] = online.notes.get("refusals", 0) + 1
    if refusals == 1:
        log.warn("agent", "broker and backend refuse us: was the agent deleted?")
    spent = _spent(online, "doubt_s")
    if refusals >= _REFUSALS and spent >= online.settings["orphan_after"]:
        _end(online, "orphaned")
        log.error("agent", "orphaned")
        board.reset(True)


def _end(online, state=None):
    from flyve.jobs import erasing

    erasing.end(online.agent, state)
