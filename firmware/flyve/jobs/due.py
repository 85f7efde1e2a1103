"""What an enrolled agent has to do besides its commands; outcome.py has what follows.

DUE has the duties in their order. Each is a function of the Online object that returns a job, or
the milliseconds until there may be one, or None. online.py has us look when something has
happened, or the time has come.
"""

import time

from micropython import const

from flyve import log, memory, transport
from flyve.backoff import Retry
from flyve.jobs import nvs

_LONGEST = const(600000)  # until the next look
_ROOM_MS = const(500)  # until there may be room for more answers
_QUIET_MS = const(5000)  # without a message: all that the broker has kept has come
_SESSION_MS = const(30000)  # after which an idle REST session is ended
_CHECKS = const(2)  # tries, after which a task is run that cannot be asked for
_SILENT = const(b"\0")  # states of known.py
_HEARD = const(b"\1")
_MANY = const(16)  # messages in the outbox, or reports: no answers; before the oldest reports go


def kept(online):
    """What is to be known at the next look."""
    if "due" not in online.notes:
        online.notes["due"] = {
            "duty": None,  # the place in DUE of the one at hand
            "waits": {},  # place in DUE -> Retry, of those that failed
            "retry": Retry(),  # of the backend's REST API as a whole
            "away": False,  # it cannot be reached
            "refusal": None,  # the newest one of the broker that was looked into
            "connects": 0,  # of the link, when it was greeted last
            "located": log.uptime(),  # when the position was told last
            "used": log.uptime(),  # when the last job ended
        }
    return online.notes["due"]


def settle(online):
    """An update of the agent or of the firmware has ended, which is to be told."""
    if online.agent.trial or "settled" in online.notes:
        return None
    try:
        update = nvs.get_int("update")
    except OSError:
        update = None
    if not update:
        online.notes["settled"] = True
        return None
    from flyve.jobs import ending

    return ending.settle(online)


def failed_app(online):
    """An application was stopped."""
    if not online.box["failed"]:
        return None
    from flyve.jobs import ending

    return ending.app_failed(online)


def doubt(online):
    """The broker refuses us: does the backend, too?"""
    reason = online.link.reason
    notes = kept(online)
    if not online.link.down or not reason or reason.code not in (4, 5):
        return None
    if reason is notes["refusal"]:
        return None
    notes["refusal"] = reason
    from flyve.jobs import leaving

    return leaving.doubt(online)


def verify(online):
    """Retained commands may be stale."""
    if not online.box["guarded"]:
        return None
    from flyve.jobs import guarded

    return guarded.verify(online, list(online.box["guarded"])[0])


def policy(online):
    """The oldest policy that may be tried."""
    left = _policy_left(online)
    if left != 0:
        return left
    from flyve.jobs import waiting

    one = waiting.take(online.box, lambda one: _ready(online, one))
    again = _tries(online, one)
    ask = None
    if _strange(online, one):
        ask = again < _CHECKS or "deploy" in one["symbol"].lower()
    from flyve.jobs import applying

    return applying.run(online, ask, again, one)


def _policy_left(online):
    """Milliseconds until a policy may be tried, or None."""
    if not online.box["policies"]:
        return None
    from flyve.jobs import waiting

    return waiting.left(online.box, lambda one: _ready(online, one))


def _tries(online, policy):
    """How often it has failed."""
    return online.box["tries"].get(policy["key"], 0)


def _strange(online, policy):
    """True when the broker has kept a policy of which we know nothing, and the backend can be
    asked whether it is for us."""
    payload = policy["payload"]
    return (
        policy["retained"]
        and online.rec.get("generation") == "C"
        and payload != b""
        and b'"default"' not in (payload or b"")
        and not policy["ours"]
    )


def _ready(online, policy):
    """True unless the policy needs the backend's REST API, and that cannot be reached."""
    notes = kept(online)
    if not notes["away"] or notes["retry"].left() <= 0:
        return True
    if "deploy" in policy["symbol"].lower():
        return False
    return _tries(online, policy) >= _CHECKS or not _strange(online, policy)


def answer(online):
    """The broker has brought tasks again that were dealt with."""
    if _HEARD not in online.box["states"] or online.reports and len(online.reports) >= _MANY:
        return None  # a report that is told makes us look again
    if len(online.link.outbox) >= _MANY:
        return _ROOM_MS
    from flyve.jobs import settled

    return settled.answer(online, _MANY)


def report(online):
    """What is to be told over REST."""
    if not online.reports:
        return None
    from flyve.jobs import report as job

    return job.send(online)


def user(online):
    """The user's data in GLPI."""
    if not online.agent.user:
        return None
    from flyve.jobs import report as job

    return job.user(online)


def missing(online):
    """A task was perhaps taken back while we were away."""
    if _SILENT not in online.box["states"] or online.rec.get("generation") != "C":
        return None
    left = online.box["heard"] + _QUIET_MS - log.uptime()
    if left > 0:
        return left
    from flyve.jobs import missing as job

    return job.run(online)


def session(online):
    """The REST session has been idle."""
    if "token" not in online.session:
        return None
    left = kept(online)["used"] + _SESSION_MS - log.uptime()
    if left > 0:
        return left
    from flyve.jobs import glpi

    return glpi.end(online)


DUE = (settle, failed_app, doubt, verify, policy, answer, report, user, missing, session)
OVER_REST = (verify, policy, report, user, missing)
_WITHOUT_LINK = (doubt, session)


def find(online):
    """The next job, the most urgent first, or the milliseconds until there may be one."""
    notes = kept(online)
    notes["duty"] = None
    if online.box["hand"]:
        from flyve.jobs import waiting

        waiting.back(online.box)  # the job with it was given up
    if online.rec.get("state") == "leaving":
        from flyve.jobs import leaving

        return leaving.run(online)
    least = _look_after(online) if online.link.up else _LONGEST
    for duty in _in_order(online):
        over_rest = duty in OVER_REST
        if not (online.link.up or duty in _WITHOUT_LINK or over_rest and online.alone):
            continue
        place = DUE.index(duty)
        left = notes["waits"][place].left() if place in notes["waits"] else 0
        if over_rest and duty is not policy:
            left = max(left, notes["retry"].left())
        if left <= 0:
            notes["duty"] = place
            try:
                left = duty(online)
            except Exception as e:
                left = _broken(e)  # it could not be imported: as if the job had failed
            if left is None:
                continue
            if not isinstance(left, int):
                return left
        least = min(least, left)
    notes["duty"] = None
    return least


def _in_order(online):
    if online.reports and len(online.reports) >= _MANY:
        at = DUE.index(policy)
        return DUE[:at] + (report,) + DUE[at:]
    return DUE


def _broken(e):
    raise e
    yield


def _look_after(online):
    """What else there is to do while the link is up; the milliseconds until there may be more."""
    box, notes = online.box, kept(online)
    now = log.uptime()
    if notes["connects"] != online.link.connects:
        notes["connects"] = online.link.connects
        from flyve.jobs import greeting

        greeting.greet(online)
        greeting = None
        memory.drop("greeting")
    least = None
    if box["overflow"] or box["later"]:
        from flyve.jobs import waiting

        least = waiting.stale(box)
        if least == 0:
            from flyve.jobs import mqtt_connect

            mqtt_connect.refresh(online.link, online.rec)
            mqtt_connect = None
            memory.drop("mqtt_connect")
    least = least or _LONGEST
    if box["undated"] and time.time() >= transport.clock["floor"]:
        box["undated"] = False
        _order(online, "Geolocate")
    every = online.rec.get("locate")
    if every:
        if now - notes["located"] >= every * 1000:
            notes["located"] = now
            _order(online, "Geolocate")
        least = min(least, notes["located"] + every * 1000 - now)
    due = online.notes.get("inventory")
    if due and now < due:
        least = min(least, due - now)
    elif due and _policy_left(online) != 0:
        from flyve.jobs import failures

        failures.sent(online)
        failures = None
        memory.drop("failures")
        _order(online, "Inventory")
    return least


def _order(online, name):
    """Has a command carried out, as if the backend had sent it."""
    online.receive("%s/Command/%s" % (online.link.topic, name), b"{}", False)
