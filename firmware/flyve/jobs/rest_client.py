"""A client of one backend's REST API: what its requests carry, and what their answers are."""

from flyve import log, memory, transport


def client(url, settings, token=None, session=None):
    """A client, as plain data. url: its base without a trailing slash; settings: token_in
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
        "user": None,  # the API token with which the newest session was opened
    }


def resume(online):
    """See rest.resume()."""
    rec = online.rec
    return client(rec.get("url"), online.settings, rec.get("api_token"), online.session)


def place(url):
    """(host, what the header Host says of it) for a base; None where the library says it itself,
    which leaves the port out."""
    whole = url.split("/", 3)[2]
    host, _, port = whole.partition(":")
    return host, whole if port not in ["", "443" if url[:5] == "https" else "80"] else None


def prepare(api, method, endpoint, query, headers, data):
    """(host, method, URL, data, headers) of a request, for http.exchange()."""
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
    user = api["user"]
    if endpoint == "initSession" and user:
        log.secret("api", user)
        api["session"].clear()
        sent["Authorization"] = "user_token " + user
        if api["query"]:
            query = "user_token=" + user
    token = api["session"].get("token")
    if token:
        sent["Session-Token"] = token
        if api["query"]:
            query += ("&" if query else "") + "session_token=" + token
    cookies = api["session"].get("cookies")
    if cookies:
        sent["Cookie"] = b"; ".join([n + b"=" + cookies[n] for n in cookies])
    url = "%s/%s%s%s" % (api["url"], endpoint, "?" if query else "", query)
    return host, method, url, data, sent


def _error(answer, endpoint, good):
    """The RestError of an answer that is not as wished, or None."""
    from flyve.jobs import rest_error

    return rest_error.judge(answer, endpoint, False, good)


def _keep(session, cookies):
    from flyve.jobs import session as job

    for cookie in cookies:
        job.keep(session.setdefault("cookies", {}), cookie)


def judge(api, answer, method, endpoint, keep, attempt):
    """True when the answer is as wished; False when the session has expired and the next attempt
    may go better; raises RestError. Closes it unless it is to be kept."""
    session = api["session"]
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
            return True
        error = _error(answer, endpoint, good)
    finally:
        if not kept:
            stream.close()
    if not error:
        return True
    if attempt or status != 401 or not api["token"]:
        raise error
    if "token" not in session or error.code[:19] != "ERROR_SESSION_TOKEN":
        raise error
    del session["token"]  # expired
    return False  # mutants: None is as good
