"""What is told over REST: answers, for generation C beside or instead of MQTT, and the user's data
in GLPI."""

import binascii
import json

from micropython import const

from flyve import log, memory
from flyve.transport import NetError

FIELDS = const(("firstname", "realname", "phone", "phone2", "_useremails", "_default_email"))


def send(online):
    """A job: tells the first of what Online.tell() has put into `reports`, and takes it out there:
    "online", "pong", "inventory", "geolocation" and the answer as over MQTT, or "task", id and
    status. Raises NetError."""
    report = online.reports[0]
    kind, *facts = report
    yield
    agent_id = online.rec.get("agent_id")
    item = "PluginFlyvemdmAgent/" + agent_id
    try:
        if kind == "task":
            number = _row(online, facts[0])
            memory.drop("rows", "glpi")
            if number is not None:
                item = "PluginFlyvemdmTaskstatus/%s" % number
                _tell(online, "PUT", item, {"status": facts[1]})
        elif kind == "geolocation":
            position = {"_agents_id": agent_id, "computers_id": online.rec.get("computer")}
            for key, value in facts[0].items():  # datetime, gps, latitude, longitude
                position[key if key[0] == "l" else "_" + key] = value
            _tell(online, "POST", "PluginFlyvemdmGeolocation", position)
        elif kind == "inventory":
            made = _inventory(online)
            memory.drop("inventory", "board_facts")
            from flyve.jobs import body

            data = body.Pieces(made, b'{"input":{"_inventory":"')
            _request(online, "PUT", item, data)
        else:
            _tell(online, "PUT", item, {"is_online": 1} if kind == "online" else {"_pong": "!"})
    except NetError as e:
        if not e.refused() or e.code == "ERROR_GLPI_LOGIN_USER_TOKEN":
            raise
        online.agent.report("report", e)  # the backend does not want it: trying again is no use
    if report in online.reports:
        online.reports.remove(report)


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _row(online, task_id):
    from flyve.jobs import rows

    return rows.row(online, task_id)


def _inventory(online):
    from flyve.jobs import inventory

    return inventory.sections(online.settings, online)


def _request(online, method, item, data):
    from flyve.jobs import rest

    rest.request(rest.resume(online), method, item, data=data)


def _tell(online, method, item, values):
    _request(online, method, item, json.dumps({"input": values}))


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
            _tell(online, "PUT", "User/%s" % user_id, changed)
            log.info("user", "updated: %s", ", ".join(sorted(changed)))
        except NetError as e:
            if not e.refused() or e.code == "ERROR_GLPI_LOGIN_USER_TOKEN":
                raise
            log.warn("user", "not permitted: %s", e)
        online.rec.save(user=sums)
    elif changed:
        log.warn("user", "not told: the backend has told no id of the user's")
    online.agent.user_told(wanted)
