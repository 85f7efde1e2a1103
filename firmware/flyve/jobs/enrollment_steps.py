"""The steps of enrollment at the backend, each durable before the next; see enrollment.py."""

import json
import time

from micropython import const

from flyve import VERSION, log, memory, transport

_POST_MS = const(120000)  # the server lifts its own time limit for this request
_SESSION_MS = const(120000)  # a big site's full session: some 100 KB

_PROFILE = const("glpiactiveprofile.id")
_GUEST = const("plugin_flyvemdm_guest_profiles_id")


class Refusal(Exception):
    """Only a new deeplink helps; the text begins with a code, and says what to do."""


def _final(e, text, *statuses):
    """The Refusal of a RestError, with what to do, if GLPI refuses for good: with one of the
    statuses, if any is given; else the error itself."""
    return Refusal("%s %s%s" % (e.code, e.message, text)) if e.refused(*statuses) else e


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _trouble(code, text, status=200):
    from flyve.jobs import rest_error

    return rest_error.RestError(status, code, text)


def _request(*what):
    from flyve.jobs import rest

    try:
        return rest.request(*what)
    finally:
        rest = None
        memory.drop("rest")


def _open(*what):
    from flyve.jobs import rest

    try:
        rest.open(*what)
    finally:
        rest = None
        memory.drop("rest")


def _pick(*what):
    from flyve.jobs import glpi

    return glpi.pick(*what)


def _picked(*what):
    from flyve.jobs import glpi

    return glpi.picked(*what)


def _inventory(settings, tag):
    from flyve.jobs import inventory

    return inventory.sections(settings, None, tag)


def _facts(settings):
    """(serial, UUID) of the board."""
    from flyve.jobs import board_facts

    serial = settings.get("serial") or board_facts.serial()
    return serial, settings.get("uuid") or board_facts.uuid()


def _profile(api):
    """Makes the guest profile the active one; returns what the session says of the user."""
    wanted = [_PROFILE, _GUEST, "glpiname", "glpifirstname", "glpirealname", "glpiID"]
    found = _pick(api, "GET", "getFullSession", wanted, "", _SESSION_MS, ("session",))
    guest = found.get(_GUEST)
    if not guest:
        text = "set the guest profile in the plugin's settings in GLPI"
        raise _trouble("NO_GUEST_PROFILE", text)
    if str(found.get(_PROFILE)) != str(guest):
        try:
            _request(api, "POST", "changeActiveProfile", "profiles_id=%s" % guest)
        except transport.NetError as e:
            raise _final(e, ": the account has no guest profile", 400, 404)
    return found


def opened(api, invited):
    """Opens the invitation's session under the guest profile; what it says of the user."""
    try:
        _open(api, invited.user_token)
    except transport.NetError as e:
        raise _final(e, ": ask for a new invitation", 401)
    return _profile(api)


def create(api, rec, settings, invited, user):
    """Makes the agent in GLPI, by a JSON into which the inventory is streamed."""
    serial, uuid = _facts(settings)
    values = {
        "_email": settings.get("email") or user.get("glpiname") or invited.email,
        "_invitation_token": invited.invitation_token,
        "_serial": serial,
        "_uuid": uuid,
        "csr": "",
        # Both names are overwritten by what is sent, so what the account has is sent back.
        "firstname": settings.get("firstname") or user.get("glpifirstname") or "",
        "lastname": settings.get("lastname") or user.get("glpirealname") or "",
        "version": settings.get("version") or VERSION,
        "type": settings["type"],
        "notification_type": "mqtt",
        "notification_token": "",
        "has_system_permission": 0,
    }
    head = b'{"input":' + json.dumps(values)[:-1].encode() + b',"inventory":"'
    tag = "invitation_" + invited.invitation_token
    made = _inventory(settings, tag)
    memory.drop("inventory", "board_facts")
    from flyve.jobs import body

    data = body.Pieces(made, head)
    again = rec.get("posting")
    rec.save(posting=True)
    try:
        answer = _request(api, "POST", "PluginFlyvemdmAgent", "", None, data, _POST_MS, True)
    except transport.NetError as e:
        text = ""
        if again:
            text = (
                "; an earlier attempt lost its answer and may have used up the invitation: "
                "delete the device's agent in GLPI, if there is one, and invite again"
            )
        elif "Enrollment failed" in str(e):
            text = "; the plugin's option `debug enrolment` tells why"
        raise _final(e, text)
    # It is created, and the invitation used up, whatever comes of the rest of the answer.
    status, headers, _ = answer
    agent_id = headers.get("location", "").split("/")[-1]
    try:
        found = _picked(answer, ("id",)).get("id")
        if found is not None:
            agent_id = str(found)
    except OSError as e:
        if not agent_id.isdigit() and status != 201:
            raise
        log.warn("enrollment", "the answer to the POST is damaged: %s", e)
    if not agent_id.isdigit():
        text = "the backend created an agent without telling its id"
        if status == 201:
            raise Refusal("NO_ID %s: delete it in GLPI, and invite again" % text)
        raise _trouble("NO_ID", text, status)
    rec.save(state="created", agent_id=agent_id, posting=None)


def _broker(found, settings):
    """(name, port, tls) of the broker that the backend names; what the settings have instead is
    not looked at. Raises RestError."""
    broker = str(found.get("broker") or "").strip()
    code = None
    if not settings.get("broker"):
        if not broker:
            code = "NO_BROKER"
        for c in broker:
            if not (c.isalpha() or c.isdigit() or c in ".-_"):
                code = "BAD_BROKER"
    if code:
        text = "set the MQTT broker in the plugin's settings: a host's name alone, without a port"
        raise _trouble(code, text)
    try:
        port = int(found.get("port") or 0)
    except (ValueError, TypeError, OverflowError):
        port = -1
    if not settings.get("port") and not 0 <= port < 65536:
        text = "set the MQTT port in the plugin's settings: a number of 1 to 65535"
        raise _trouble("BAD_PORT", text)
    return broker or None, port, int(str(found.get("tls")) not in ("0", "", "None", "False"))


def credentials(api, rec, settings, invited, mark, user):
    """Reads the agent's settings; each such GET renews the MQTT password, so the last wins."""
    agent_id = rec.get("agent_id")
    wanted = [
        "topic", "mqttpasswd", "broker", "port", "tls", "api_token",
        "notification_type", "computers_id",
    ]  # fmt: skip
    try:
        found = _pick(api, "GET", "PluginFlyvemdmAgent/" + agent_id, wanted)
    except transport.NetError as e:
        raise _final(e, ": the agent was deleted in GLPI: ask for a new invitation", 404)
    for name in ["topic", "mqttpasswd", "api_token"]:
        if not found.get(name):
            text = "no %s for the guest: check the guest profile in GLPI"
            raise _trouble("WRONG_PROFILE", text % name)
    if not isinstance(found["mqttpasswd"], str):
        # 1e5 has become 100000, and 007 is 7: nobody can tell which it was.
        text = "GLPI made a number of the MQTT password: the next try brings another one"
        raise _trouble("NUMERIC_PASSWORD", text)
    broker, port, tls = _broker(found, settings)
    topic = str(found["topic"])
    if topic.startswith("/"):
        generation = "A"
    else:
        generation = "C" if "notification_type" in found else "B"
    log.secret("mqtt", str(found["mqttpasswd"]))
    rec.save(
        scrub=True,
        state="enrolled",
        link=mark,
        url=invited.url,
        api_token=str(found["api_token"]),
        mqttpasswd=str(found["mqttpasswd"]),
        topic=topic[:-1] if topic.endswith("/") else topic,
        broker=broker,
        port=port,
        tls=tls,
        generation=generation,
        computer=found.get("computers_id"),
        user_id=user.get("glpiID"),
        since=int(time.time()) if transport.clock["sure"] else None,
        error=None,
    )
