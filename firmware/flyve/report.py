"""Answers over REST, for generation C beside or instead of MQTT."""

import json

from flyve import resident, rest

_SEARCH = (
    "criteria[0][field]=5&criteria[0][searchtype]=equals&criteria[0][value]=%s"
    "&criteria[1][field]=6&criteria[1][searchtype]=equals&criteria[1][value]=%s&forcedisplay=2"
)


def send(agent, kind, *facts):
    """A job: tells "online", "pong", "inventory", "geolocation" (facts: the answer as over MQTT)
    or "task" (facts: id, status). Raises NetError and RestError."""
    api = rest.resume(agent)
    yield
    agent_id = agent.rec.get("agent_id")
    try:
        if kind == "task":
            _task(api, agent_id, *facts)
        elif kind == "geolocation":
            position = {"_" + k if k in ("datetime", "gps") else k: v for k, v in facts[0].items()}
            position["_agents_id"] = agent_id
            position["computers_id"] = agent.rec.get("computer")
            body = json.dumps({"input": position})
            api.request("POST", "PluginFlyvemdmGeolocation", data=body)
        else:
            if kind == "online":
                body = json.dumps({"input": {"is_online": True}})
            elif kind == "pong":
                body = json.dumps({"input": {"_pong": "!"}})
            else:
                inventory = resident.load("inventory")
                body = inventory.Body(inventory.of(agent), b'{"input":{"_inventory":"')
            api.request("PUT", "PluginFlyvemdmAgent/" + agent_id, data=body)
    except rest.RestError as e:
        if e.status >= 500 or e.code == "ERROR_GLPI_LOGIN_USER_TOKEN":
            raise
        agent.report("report", e)  # the backend does not want it: trying again is no use


def _task(api, agent_id, task_id, status):
    query = _SEARCH % (agent_id, task_id)
    row = api.pick("GET", "search/PluginFlyvemdmTaskstatus", ("data.0.2",), query).get("data.0.2")
    if row is not None:
        body = json.dumps({"input": {"status": status}})
        api.request("PUT", "PluginFlyvemdmTaskstatus/%s" % row, data=body)
