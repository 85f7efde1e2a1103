"""Whether the backend has a task for this agent: what the broker has kept may be for another one
that had our serial before."""

from flyve import log
from flyve.transport import NetError

# Of generic search: number, field, number, number, value.
_CRITERION = "criteria[%d][field]=%d&criteria[%d][searchtype]=equals&criteria[%d][value]=%s&"
_GONE = "ERROR_GLPI_LOGIN_USER_TOKEN"


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _client(online):
    from flyve.jobs import rest

    return rest.resume(online)


def _pick(*what):
    from flyve.jobs import glpi

    return glpi.pick(*what)


def row(online, task_id):
    """The number of the row that holds the task's status at the backend; None when the backend
    says that it has no such task for this agent. Raises NetError while that cannot be known."""
    query = _CRITERION % (0, 5, 0, 0, online.rec.get("agent_id"))
    query += _CRITERION % (1, 6, 1, 1, task_id) + "forcedisplay=2"
    paths = ("totalcount", "data.0.2")
    found = _pick(_client(online), "GET", "search/PluginFlyvemdmTaskstatus", paths, query)
    number = found.get("data.0.2")
    if number is None and str(found.get("totalcount")) != "0":
        from flyve.jobs import rest_error

        text = "the answer to a search tells no number of rows"
        raise rest_error.RestError(200, "NO_COUNT", text)
    return number


def ours(online, task_id, must):
    """Whether the backend has such a task for us; while that cannot be asked, True unless must."""
    try:
        return row(online, task_id) is not None
    except NetError as e:
        if e.kind == "memory" or must and (e.code == _GONE or not e.refused()):
            raise
        log.debug("policies", "task %s cannot be asked for: %s", task_id, e)
        return True
