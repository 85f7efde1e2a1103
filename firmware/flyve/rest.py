"""GLPI's REST API over urequests: one session, streamed answers, errors by name."""

import sys

from micropython import const

from flyve import log, resident, transport
from flyve.text import loads

# The library takes its sockets by name: these are ours (transport.py).
sys.modules["usocket"] = sys.modules["ussl"] = transport
import urequests  # noqa: E402

# Only request() and close() are called: the rest would take memory.
for _name in ("head", "get", "post", "put", "patch", "delete"):
    delattr(urequests, _name)
for _name in ("content", "text", "json"):
    delattr(urequests.Response, _name)

_KEPT = const((b"content-length", b"content-range", b"last-modified", b"content-type",
               b"content-encoding", b"transfer-encoding",
               b"content-disposition"))  # fmt: skip
_SHORT = const(2048)  # bytes of an answer that is read at once


class RestError(Exception):
    """The server answered, but not as wished. status: HTTP status; code, message: GLPI's pair."""

    def __init__(self, status, code, message):
        super().__init__("%s %s (HTTP %d)" % (code, message, status))
        self.status = status
        self.code = code
        self.message = message

    def refused(self, *statuses):
        """True when GLPI itself refuses (with one of the statuses, if any is given), not a server
        in front of it."""
        known = self.status in statuses if statuses else 400 <= self.status < 500
        return known and self.code not in ["NOT_JSON", "BAD_JSON"]


def _header(line, headers):
    """Keeps the few headers that the agent uses, in lower case, out of any number."""
    if line[-1:] != b"\n":
        raise transport.NetError("closed", "the answer ends in its headers")
    name, colon, value = line.partition(b":")
    name = name.lower()
    if colon and name in _KEPT:
        try:
            headers[name.decode()] = str(value.strip(), "utf-8")
        except UnicodeError:
            pass  # a file's name in another encoding: as good as none


def _unreadable(answer, what=None):
    if what:
        return RestError(answer.status_code, "BAD_JSON", what)
    hint = "no GLPI API at this URL: check the API's URL in the plugin's settings"
    return RestError(answer.status_code, "NOT_JSON", hint)


def _short(answer):
    """The JSON value of a short answer: an error, or a session."""
    size = answer.headers.get("content-length", "")
    text = answer.raw.read(min(_SHORT, int(size) if size.isdigit() else _SHORT))
    try:
        if text.count(b"[") + text.count(b"{") > 32:
            raise ValueError("too many brackets")  # each takes a lot of memory
        return loads(text)
    except ValueError as e:
        raise _unreadable(answer, text.lstrip()[:1] in [b"{", b"["] and str(e))


def _error(answer):
    """What an answer that is not 2xx says: GLPI sends a JSON array of a code and a message."""
    found = _short(answer)
    if isinstance(found, list):
        found = dict(zip("01", found))
    elif not isinstance(found, dict):
        found = {}
    message = str(found.get("1", "")).split("; view documentation")[0]
    return RestError(answer.status_code, str(found.get("0", "ERROR")), message)


def is_gone(e):
    """True when the error says that the agent or its account was deleted."""
    code = getattr(e, "code", None)
    return code in ("ERROR_ITEM_NOT_FOUND", "ERROR_GLPI_LOGIN_USER_TOKEN")


class Rest:
    """A client of one backend. url: its base without a trailing slash; settings: token_in
    "header" keeps tokens out of the query string, where servers log them. With the agent's own
    API token, a session is opened when one is needed, and again when it has expired. owner: whose
    attribute `session` the open session is, by default the client's own."""

    session = None

    def __init__(self, url, settings, token=None, owner=None):
        self.url = url
        self._query = settings["token_in"] == "both"
        self._app_token = settings["app_token"]
        self._owner = owner or self
        self._token = token
        self._host = url.split("/", 3)[2].split(":")[0]

    def _send(self, method, endpoint, query, headers, data):
        if isinstance(data, str):
            data = data.encode()  # urequests counts characters
        sent = {"Content-Type": "application/json"}
        if headers:
            sent.update(headers)
        if self._app_token:
            sent["App-Token"] = self._app_token
        session = self._owner.session
        if session:
            sent["Session-Token"] = session
            if self._query:
                query += ("&" if query else "") + "session_token=" + session
        url = "%s/%s%s%s" % (self.url, endpoint, "?" if query else "", query)
        try:
            answer = urequests.request(method, url, data=data, headers=sent, parse_headers=_header)
        except (ValueError, IndexError, TypeError, AttributeError):
            raise RestError(0, "NO_HTTP", "the server's answer is not HTTP") from None
        if 300 <= answer.status_code < 400:
            raise transport.NetError("moved", "the server redirects without saying where")
        if not 200 <= answer.status_code < 300:
            raise _error(answer)
        log.debug("rest", "%s %s %d", method, endpoint, answer.status_code)
        return answer

    def request(self, method, endpoint, query="", headers=None, data=None, ms=30000, keep=False):
        """One exchange of at most ms milliseconds, whose answer is of status 2xx. keep: returns
        the response, open: its `raw` is a socket that the caller reads, extends and closes. query:
        without "?". Raises NetError (no answer) and RestError (another status, or no HTTP)."""
        for attempt in range(2):
            if self._token and not self._owner.session and endpoint != "initSession":
                self.open(self._token)
                attempt = 1
            with transport.Exchange(self._host, ms) as x:
                try:
                    answer = self._send(method, endpoint, query, headers, data)
                    if keep:
                        x.detach()
                    return answer
                except RestError as e:
                    if attempt or e.status != 401 or not self._owner.session or not self._token:
                        raise
                    if e.code == "ERROR_RIGHT_MISSING":
                        raise
                    self._owner.session = None  # expired

    def pick(self, method, endpoint, paths, query="", headers=None, data=None, ms=30000, top=()):
        """request(), and the values at the paths of its JSON answer, as jsonpick.pick(); top: its
        transparent objects."""
        answer = self.request(method, endpoint, query, headers, data, ms, True)
        try:
            jsonpick = resident.load("jsonpick")
            try:
                return jsonpick.pick(answer.raw, paths, transparent=top)
            except jsonpick.NotJson:
                raise _unreadable(answer)
            except jsonpick.JsonError as e:
                raise _unreadable(answer, str(e))
        finally:
            answer.close()
            jsonpick = None
            resident.drop("jsonpick")

    def open(self, user_token):
        """Opens a session (GLPI: initSession) with a user's or the agent's own API token."""
        log.secret("api", user_token)
        self._owner.session = None
        token = {"Authorization": "user_token " + user_token}
        query = "user_token=" + user_token if self._query else ""
        answer = self.request("GET", "initSession", query, token, keep=True)
        try:
            found = _short(answer)
        finally:
            answer.close()
        session = found.get("session_token") if isinstance(found, dict) else None
        if not isinstance(session, str):
            raise RestError(200, "NO_SESSION", "the server opened no session")
        self._owner.session = session
        log.secret("session", session)

    def close(self):
        """Ends the session (GLPI: killSession); a failure is logged and never raised."""
        if self._owner.session is None:
            return
        self._token = None  # an expired one needs no renewal
        try:
            self.request("GET", "killSession", ms=10000)
        except (transport.NetError, RestError) as e:
            log.debug("rest", "killSession: %s", e)
        self._owner.session = None


def end(agent):
    """A job: ends the agent's own session, which has been idle."""
    yield
    resume(agent).close()


def resume(agent):
    """A client with the agent's own session, which ends when it has been idle for a while."""
    rec = agent.rec
    return Rest(rec.get("url"), agent.settings, rec.get("api_token"), agent)
