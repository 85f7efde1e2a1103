"""What the REST API's answers are when they are not as wished: errors by name.

The class of an error may be another one than the next import brings: what catches RestError
catches NetError, and asks the error itself."""

from flyve import memory, transport


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


def judge(answer, endpoint="", coding=False, good=False):
    """The RestError of an answer that is not as wished, or only by its coding; None when a good
    one is as wished after all."""
    status, headers, _ = answer
    found = None
    from flyve.jobs import verdict

    try:
        if coding:
            found = verdict.coding(headers)
        elif good:
            found = verdict.noticed(answer)
        else:
            found = verdict.judge(answer)
    finally:
        verdict = None
        memory.drop("verdict", "headers")
    if found:
        code, message, _, after = found
        e = RestError(status, code, message, after, headers.get("content-range", ""))
        e.endpoint = endpoint
        return e


def unreadable(status):
    """The RestError of an answer whose body is no JSON."""
    from flyve.jobs import verdict

    return RestError(status, "NOT_JSON", verdict.meaning(status))


def check_coding(answer):
    """Raises RestError when the body of the answer is not plain."""
    if "content-encoding" in answer[1] or "transfer-encoding" in answer[1]:
        error = judge(answer, coding=True)
        if error:
            raise error


def is_gone(e):
    """True when the error says that the agent or its account was deleted."""
    known = "ERROR_ITEM_NOT_FOUND", "ERROR_GLPI_LOGIN_USER_TOKEN"
    return e.code in known and e.refused(401, 404)
