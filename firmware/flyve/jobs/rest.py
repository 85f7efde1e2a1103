"""GLPI's REST API over urequests: one session, streamed answers, errors by name."""

from micropython import const

from flyve import log, memory, transport
from flyve.jobs import sockets

# isort: split
import urequests  # after the sockets that it takes

# Only request() is called: the rest would take memory.
for _name in ("head", "get", "post", "put", "patch", "delete"):
    delattr(urequests, _name)
for _name in ("content", "text", "json"):
    delattr(urequests.Response, _name)

_KEPT = const((b"content-length", b"content-range", b"last-modified", b"content-type",
               b"content-encoding", b"transfer-encoding", b"retry-after", b"date",
               b"location", b"content-disposition"))  # fmt: skip
_LINE = const(255)  # a header line of that length has been cut (sockets.py)
_COOKIES = const(8)  # that are kept of a session
_INTERIM = const(4)  # interim answers that are passed over


class RestError(transport.NetError):
    """The server answered, but not as wished. status: HTTP status; code, message: GLPI's pair, or
    what it was if it was not GLPI's; after: milliseconds for which the server asks to wait; place:
    its Content-Range; endpoint: what was asked for."""

    endpoint = ""

    def __init__(self, status, code, message, after=0, place=""):
        super().__init__("rest", "%s %s (HTTP %d)" % (code, message, status))
        self.status = status
        self.code = code
        self.message = message
        self.after = after
        self.place = place

    def refused(self, *statuses):
        """True when GLPI itself refuses, not a server before it, and not because the session is
        gone: with one of the statuses, or, if none is given, anything but a session."""
        if statuses:
            known = self.status in statuses
        else:
            known = 400 <= self.status < 500 and self.endpoint != "initSession"
        code = self.code
        if code == "ERROR":  # as GLPI says of a bad request, but also of an API that is off
            return known and len(statuses) > 0
        return known and code[:6] == "ERROR_" and code[:19] != "ERROR_SESSION_TOKEN"


def _header(line, headers):
    """Keeps the few headers that the agent uses, in lower case, out of any number."""
    if line[-1:] != b"\n":
        raise transport.NetError("closed", "the answer ends in its headers")
    name, colon, value = line.partition(b":")
    name = name.lower()
    if colon and name in _KEPT:
        try:
            headers[name.decode()] = log.plain(str(value.strip(), "utf-8"))
        except UnicodeError:
            pass  # a file's name in another encoding: as good as none
    elif name == b"set-cookie":
        found = headers.setdefault("set-cookie", [])
        if b";" not in value and len(line) >= _LINE:
            log.warn("rest", "a cookie of the server is too long to go back")
        elif len(found) < 2 * _COOKIES:
            found.append(value.strip())


def _error(answer, coding=False, good=False):
    """The RestError of an answer that is not as wished, or only by its coding; None when a good
    one is as wished after all."""
    found = None
    from flyve.jobs import verdict

    try:
        if coding:
            found = verdict.coding(answer)
        elif good:
            found = verdict.noticed(answer)
        else:
            found = verdict.judge(answer)
    finally:
        verdict = None
        memory.drop("verdict", "headers")
    if found:
        code, message, _, after = found
        place = answer.headers.get("content-range", "")
        return RestError(answer.status_code, code, message, after, place)


def _unreadable(answer):
    from flyve.jobs import verdict

    return RestError(answer.status_code, "NOT_JSON", verdict.meaning(answer.status_code))


def _check_coding(answer):
    if "content-encoding" in answer.headers or "transfer-encoding" in answer.headers:
        error = _error(answer, coding=True)
        if error:
            raise error


def is_gone(e):
    """True when the error says that the agent or its account was deleted."""
    known = "ERROR_ITEM_NOT_FOUND", "ERROR_GLPI_LOGIN_USER_TOKEN"
    return e.code in known and e.refused(401, 404)


class Rest:
    """A client of one backend. url: its base without a trailing slash; settings: token_in
    "header" keeps tokens out of the query string, where servers log them. With the agent's own
    API token, a session is opened when one is needed, and again when it has expired. session: a
    dict that outlives the client, empty while none is open, of its `token` and `cookies`: what
    the servers want to see again in it, for a balancer may go by them."""

    def __init__(self, url, settings, token=None, session=None):
        self.url = url
        self._query = settings["token_in"] == "both"
        self._app_token = settings.get("app_token")
        self._session = {} if session is None else session
        self._token = token
        place = url.split("/", 3)[2]
        self._host, _, port = place.partition(":")
        # The library leaves the port out.
        self._place = place if port not in ["", "443" if url[:5] == "https" else "80"] else None

    def _send(self, method, endpoint, query, headers, data):
        if isinstance(data, str):
            data = data.encode()  # urequests counts characters
        sent = {"Content-Type": "application/json"}
        if self._place:
            sent["Host"] = self._place
        if headers:
            sent.update(headers)
        if self._app_token:
            sent["App-Token"] = self._app_token
        token = self._session.get("token")
        if token:
            sent["Session-Token"] = token
            if self._query:
                query += ("&" if query else "") + "session_token=" + token
        cookies = self._session.get("cookies")
        if cookies:
            sent["Cookie"] = b"; ".join([n + b"=" + cookies[n] for n in cookies])
        url = "%s/%s%s%s" % (self.url, endpoint, "?" if query else "", query)
        try:
            answer = urequests.request(method, url, data=data, headers=sent, parse_headers=_header)
            sock = answer.raw
            for _ in range(_INTERIM):
                if not 100 <= answer.status_code < 200 or answer.status_code == 101:
                    break
                answer.headers.clear()
                answer.status_code = int(sock.readline().split(None, 2)[1])
                while True:
                    line = sock.readline()
                    if not line or line == b"\r\n":
                        break
                    _header(line, answer.headers)
            answer.raw = sock.stream
        except (ValueError, IndexError, TypeError, AttributeError):
            raise RestError(0, "NO_HTTP", "the server's answer is not HTTP") from None
        cookies = answer.headers.pop("set-cookie", ())
        if cookies:
            from flyve.jobs import session

            for cookie in cookies:
                session.keep(self._session.setdefault("cookies", {}), cookie)
            session = None
            memory.drop("session")
        if 300 <= answer.status_code < 400:
            raise transport.NetError("moved", "the server redirects without saying where")
        if not 200 <= answer.status_code < 300:
            e = _error(answer)
            e.endpoint = endpoint
            raise e
        log.debug("rest", "%s %s %d", method, endpoint, answer.status_code)
        return answer

    def request(self, method, endpoint, query="", headers=None, data=None, ms=30000, keep=False):
        """One exchange of at most ms milliseconds, whose answer is of status 2xx. keep: returns
        the response, open: its `raw` is a stream that the caller reads, extends and closes. query:
        without "?". Raises NetError (no answer) and RestError (another status, or no HTTP)."""
        for attempt in range(2):
            if self._token and "token" not in self._session and endpoint != "initSession":
                self.open(self._token)
                attempt = 1
            with sockets.Exchange(self._host, ms) as x:
                try:
                    answer = self._send(method, endpoint, query, headers, data)
                    if keep:
                        x.detach()
                    elif "json" not in answer.headers.get("content-type", "json"):
                        # Where nothing is read, a page of a gateway would pass for success.
                        error = _error(answer, good=True)
                        if error:
                            raise error
                    return answer
                except RestError as e:
                    if attempt or e.status != 401 or not self._token:
                        raise
                    if "token" not in self._session or e.code[:19] != "ERROR_SESSION_TOKEN":
                        raise
                    del self._session["token"]  # expired

    def pick(self, method, endpoint, paths, query="", headers=None, data=None, ms=30000, top=()):
        """request(), and the values at the paths of its JSON answer, as jsonpick.pick(); top: its
        transparent objects."""
        answer = self.request(method, endpoint, query, headers, data, ms, True)
        return self.picked(answer, paths, top)

    def picked(self, answer, paths, top=()):
        """The values at the paths of an answer that request() has kept; closes it."""
        try:
            _check_coding(answer)
            from flyve.jobs import jsonpick

            try:
                return jsonpick.pick(answer.raw, paths, transparent=top)
            except jsonpick.NotJson:
                raise _unreadable(answer)
            except jsonpick.JsonError as e:
                raise RestError(answer.status_code, "BAD_JSON", str(e))
        finally:
            answer.close()
            jsonpick = None
            memory.drop("jsonpick", "verdict")

    def open(self, user_token):
        """Opens a session (GLPI: initSession) with a user's or the agent's own API token."""
        log.secret("api", user_token)
        self._session.clear()
        token = {"Authorization": "user_token " + user_token}
        query = "user_token=" + user_token if self._query else ""
        answer = self.request("GET", "initSession", query, token, keep=True)
        try:
            _check_coding(answer)
            from flyve.jobs import session

            token = session.token(answer)
            if token == "":
                raise _unreadable(answer)
            if token is None:
                raise RestError(200, "NO_SESSION", "the server opened no session")
        finally:
            answer.close()
            session = None
            memory.drop("session", "verdict")
        self._session["token"] = token
        log.secret("session", token)

    def close(self):
        """Ends the session (GLPI: killSession); a failure is logged and never raised."""
        if "token" not in self._session:
            return
        self._token = None  # an expired one needs no renewal
        try:
            self.request("GET", "killSession", ms=10000)
        except transport.NetError as e:
            log.debug("rest", "killSession: %s", e)
        self._session.clear()


def end(online):
    """A job: ends the agent's own session, which has been idle."""
    yield
    resume(online).close()


def resume(online):
    """A client with the agent's own session, which ends when it has been idle for a while."""
    rec = online.rec
    return Rest(rec.get("url"), online.settings, rec.get("api_token"), online.session)
