"""What is told over REST: answers, for generation C beside or instead of MQTT, and the user's data
in GLPI."""

import binascii
import json

from micropython import const

from flyve import log, memory
from flyve.jobs import rest
from flyve.transport import NetError

FIELDS = const(("firstname", "realname", "phone", "phone2", "_useremails", "_default_email"))

# Of generic search: number, field, number, number, value.
_CRITERION = const(
    "criteria[%d][field]=%d&criteria[%d][searchtype]=equals&criteria[%d][value]=%s&"
)


def send(online):
    """A job: tells the first of what Online.tell() has put into `reports`, and takes it out there:
    "online", "pong", "inventory", "geolocation" and the answer as over MQTT, or "task", id and
    status. Raises NetError."""
    report = online.reports[0]
    kind, *facts = report
    api = rest.resume(online)
    yield
    agent_id = online.rec.get("agent_id")
    item = "PluginFlyvemdmAgent/" + agent_id
    try:
        if kind == "task":
            number = _row(api, online, facts[0])
            if number is not None:
                _tell(api, "PUT", "PluginFlyvemdmTaskstatus/%s" % number, {"status": facts[1]})
        elif kind == "geolocation":
            position = {"_agents_id": agent_id, "computers_id": online.rec.get("computer")}
            for key, value in facts[0].items():  # datetime, gps, latitude, longitude
                position[key if key[0] == "l" else "_" + key] = value
            _tell(api, "POST", "PluginFlyvemdmGeolocation", position)
        elif kind == "inventory":
            made = _inventory(online)
            memory.drop("inventory", "board_facts")
            from flyve.jobs import body

            data = body.Pieces(made, b'{"input":{"_inventory":"')
            rest.request(api, "PUT", item, data=data)
        else:
            _tell(api, "PUT", item, {"is_online": 1} if kind == "online" else {"_pong": "!"})
    except NetError as e:
        if not e.refused() or e.code == "ERROR_GLPI_LOGIN_USER_TOKEN":
            raise
        online.agent.report("report", e)  # the backend does not want it: trying again is no use
    if report in online.reports:
        online.reports.remove(report)


# In a frame of its own: what a frame names stays in memory as long as that.
def _inventory(online):
    from flyve.jobs import inventory

    return inventory.sections(online.settings, online)


def row(online, task_id):
    """The number of the row that holds the task's status at the backend; None when the backend
    says that it has no such task for this agent. Raises NetError while that cannot be known."""
    return _row(rest.resume(online), online, task_id)


def _row(api, online, task_id):
    query = _CRITERION % (0, 5, 0, 0, online.rec.get("agent_id"))
    query += _CRITERION % (1, 6, 1, 1, task_id) + "forcedisplay=2"
    paths = ("totalcount", "data.0.2")
    from flyve.jobs import glpi

    found = glpi.pick(api, "GET", "search/PluginFlyvemdmTaskstatus", paths, query)
    number = found.get("data.0.2")
    if number is None and str(found.get("totalcount")) != "0":
        from flyve.jobs import rest_error

        text = "the answer to a search tells no number of rows"
        raise rest_error.RestError(200, "NO_COUNT", text)
    return number


def _tell(api, method, item, values):
    rest.request(api, method, item, data=json.dumps({"input": values}))


def user(online):
    """A job: brings the user's data in GLPI up to date with agent.user, a dict with some of
    FIELDS. "Not permitted" is an answer. Raises NetError when it is worth a retry."""
    wanted = online.agent.user
    user_id = online.rec.get("user_id")
    sums = online.rec.get("user", {}).copy()  # of what was sent
    changed = {}
    for name in FIELDS:
        if name in wanted:
            crc = binascii.crc32(json.dumps(wanted[name]).encode())
            if sums.get(name) != crc:
                sums[name] = crc
                changed[name] = wanted[name]
    if changed and user_id:
        yield
        try:
            _tell(rest.resume(online), "PUT", "User/%s" % user_id, changed)
            log.info("user", "updated: %s", ", ".join(sorted(changed)))
        except NetError as e:
            if not e.refused() or e.code == "ERROR_GLPI_LOGIN_USER_TOKEN":
                raise
            log.warn("user", "not permitted: %s", e)
        online.rec.save(user=sums)
    online.agent.user_told(wanted)
