"""GLPI's REST API: one session, and streamed answers (body.py).

A client is plain data, see rest_client.py, so that no module has to stay for it. What prepares a
request, what exchanges it (http.py) and what judges its answer is imported in turn: beside a
connection there is room for few modules at once.
"""

from flyve import memory, transport

# Each in a frame of its own: what a frame names stays in memory as long as that.


def _prepare(*what):
    from flyve.jobs import rest_client

    return rest_client.prepare(*what)


def _trust(url):
    if url[:5] == "https" and not transport.trust.get("context"):
        from flyve.jobs import tls_trust

        tls_trust.prepare(transport.trust)
        tls_trust = None
        memory.drop("tls_trust", "tls_context")


def _exchange(*what):
    from flyve.jobs import http

    return http.exchange(*what)


def _judge(*what):
    from flyve.jobs import rest_client

    return rest_client.judge(*what)


def _opened(api, answer):
    from flyve.jobs import session

    session.opened(api, answer)


def resume(online):
    """A client with the agent's own session, which ends when it has been idle for a while."""
    from flyve.jobs import rest_client

    return rest_client.resume(online)


def request(api, method, endpoint, query="", headers=None, data=None, ms=30000, keep=False):
    """One exchange of at most ms milliseconds, whose answer is of status 2xx. keep: its stream is
    open, the caller reads, extends and closes it. query: without "?". Raises NetError (no answer)
    and RestError (another status, or no HTTP)."""
    answer = None
    try:
        _trust(api["url"])
        for attempt in range(2):
            if api["token"] and "token" not in api["session"] and endpoint != "initSession":
                open(api, api["token"])
                attempt = 1
            asked = _prepare(api, method, endpoint, query, headers, data)
            memory.drop("rest_client")
            answer = _exchange(ms, *asked)
            memory.drop("http")
            if _judge(api, answer, method, endpoint, keep, attempt):
                return answer
            answer[2].close()
    finally:
        memory.drop("rest_client", "http", "rest_error")


def open(api, user_token):
    """Opens a session (GLPI: initSession) with a user's or the agent's own API token."""
    api["user"] = user_token
    answer = request(api, "GET", "initSession", "", None, None, 30000, True)
    try:
        _opened(api, answer)
    finally:
        memory.drop("session")
