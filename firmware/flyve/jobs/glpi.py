"""What is asked of GLPI's REST API over rest.py, which is in memory only meanwhile."""

from flyve import log, memory, transport


# In a frame of its own: what a frame names stays in memory as long as that.
def _request(*what):
    from flyve.jobs import rest

    return rest.request(*what)


def pick(api, method, endpoint, paths, query="", ms=30000, top=()):
    """The values at the paths of the JSON answer to a request, as jsonpick.pick(); top: its
    transparent objects."""
    answer = _request(api, method, endpoint, query, None, None, ms, True)
    memory.drop("rest")
    return picked(answer, paths, top)


def picked(answer, paths, top=()):
    """The values at the paths of an answer that was kept; closes it."""
    status, headers, stream = answer
    try:
        if "content-encoding" in headers or "transfer-encoding" in headers:
            from flyve.jobs import rest_error

            rest_error.check_coding(answer)
        from flyve.jobs import jsonpick

        try:
            return jsonpick.pick(stream, paths, transparent=top)
        except jsonpick.NotJson:
            said = None
        except jsonpick.JsonError as e:
            said = str(e)
        from flyve.jobs import rest_error

        if said is None:
            raise rest_error.unreadable(status)
        raise rest_error.RestError(status, "BAD_JSON", said)
    finally:
        stream.close()
        jsonpick = rest_error = None
        memory.drop("jsonpick", "rest_error", "verdict")


def close(api):
    """Ends a session (GLPI: killSession); a failure is logged and never raised."""
    if "token" not in api["session"]:
        return
    api["token"] = None  # an expired one needs no renewal
    try:
        _request(api, "GET", "killSession", "", None, None, 10000)
    except transport.NetError as e:
        log.debug("rest", "killSession: %s", e)
    memory.drop("rest")
    api["session"].clear()


def end(online):
    """A job: ends the agent's own session, which has been idle."""
    yield
    from flyve.jobs import rest

    api = rest.resume(online)
    rest = None
    close(api)
