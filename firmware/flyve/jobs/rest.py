"""GLPI's REST API: one session, and streamed answers (body.py).

A client is plain data, so that no module has to stay for it: see client(). What needs a library
(http.py), or the body of an answer (glpi.py, session.py, rest_error.py), is imported for it:
beside a connection there is room for few modules at once.
"""

from flyve import log, memory, transport


def client(url, settings, token=None, session=None):
    """A client of one backend. url: its base without a trailing slash; settings: token_in
    "header" keeps tokens out of the query string, where servers log them. With the agent's own
    API token, a session is opened when one is needed, and again when it has expired. session: a
    dict that outlives the client, empty while none is open, of its `token` and `cookies`: what
    the servers want to see again in it, for a balancer may go by them."""
    return {
        "url": url,
        "query": settings["token_in"] == "both",
        "app_token": settings.get("app_token"),
        "token": token,
        "session": {} if session is None else session,
    }


def resume(online):
    """A client with the agent's own session, which ends when it has been idle for a while."""
    rec = online.rec
    return client(rec.get("url"), online.settings, rec.get("api_token"), online.session)


def place(url):
    """(host, what the header Host says of it) for a base; None where the library says it itself,
    which leaves the port out."""
    whole = url.split("/", 3)[2]
    host, _, port = whole.partition(":")
    return host, whole if port not in ["", "443" if url[:5] == "https" else "80"] else None


def _exchange(api, ms, method, endpoint, query, headers, data):
    if isinstance(data, str):
        data = data.encode()  # urequests counts characters
    sent = {"Content-Type": "application/json"}
    host, whole = place(api["url"])
    if whole:
        sent["Host"] = whole
    if headers:
        sent.update(headers)
    if api["app_token"]:
        sent["App-Token"] = api["app_token"]
    token = api["session"].get("token")
    if token:
        sent["Session-Token"] = token
        if api["query"]:
            query += ("&" if query else "") + "session_token=" + token
    cookies = api["session"].get("cookies")
    if cookies:
        sent["Cookie"] = b"; ".join([n + b"=" + cookies[n] for n in cookies])
    url = "%s/%s%s%s" % (api["url"], endpoint, "?" if query else "", query)
    try:
        from flyve.jobs import http

        return http.exchange(host, ms, method, url, data, sent)
    finally:
        http = None
        memory.drop("http", "rest_error")


def _error(answer, endpoint, good):
    """The RestError of an answer that is not as wished, or None."""
    from flyve.jobs import rest_error

    return rest_error.judge(answer, endpoint, False, good)


def _keep(session, cookies):
    from flyve.jobs import session as job

    for cookie in cookies:
        job.keep(session.setdefault("cookies", {}), cookie)


def request(api, method, endpoint, query="", headers=None, data=None, ms=30000, keep=False):
    """One exchange of at most ms milliseconds, whose answer is of status 2xx. keep: its stream is
    open, the caller reads, extends and closes it. query: without "?". Raises NetError (no answer)
    and RestError (another status, or no HTTP)."""
    session = api["session"]
    for attempt in range(2):
        if api["token"] and "token" not in session and endpoint != "initSession":
            open(api, api["token"])
            attempt = 1
        answer = _exchange(api, ms, method, endpoint, query, headers, data)
        status, found, stream = answer
        kept = False
        try:
            cookies = found.pop("set-cookie", ())
            if cookies:
                _keep(session, cookies)
                memory.drop("session")
            if 300 <= status < 400:
                raise transport.NetError("moved", "the server redirects without saying where")
            good = 200 <= status < 300
            if good:
                log.debug("rest", "%s %s %d", method, endpoint, status)
            # Where nothing is read, a page of a gateway would pass for success.
            if good and (keep or "json" in found.get("content-type", "json")):
                kept = keep
                return answer
            error = _error(answer, endpoint, good)
        finally:
            if not kept:
                stream.close()
            memory.drop("rest_error")
        if not error:
            return answer
        if attempt or status != 401 or not api["token"]:
            raise error
        if "token" not in session or error.code[:19] != "ERROR_SESSION_TOKEN":
            raise error
        error = None
        del session["token"]  # expired


def open(api, user_token):
    """Opens a session (GLPI: initSession) with a user's or the agent's own API token."""
    log.secret("api", user_token)
    api["session"].clear()
    token = {"Authorization": "user_token " + user_token}
    query = "user_token=" + user_token if api["query"] else ""
    answer = request(api, "GET", "initSession", query, token, None, 30000, True)
    try:
        from flyve.jobs import session

        token = session.opened(answer)
    finally:
        session = None
        memory.drop("session", "rest_error")
    api["session"]["token"] = token
    log.secret("session", token)
