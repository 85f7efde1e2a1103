"""One policy, from its message to its status, with the file or application that it brings.

The modules for each step come and go: beside a connection there is room for few of them. The
backend loses the last byte of every answer whose length is 1 modulo 16384, answers 200 where a
part was asked for, and never 416: so lengths are chosen, and what comes is judged and counted.
"""

from micropython import const

from flyve import log, memory, registry, transport

idle_ms = 15000  # for one piece: a server slower than 280 bytes a second is given up

_STAGED = const("/apps.new")
_CHECKS = const(2)  # tries, after which a task is run that cannot be asked for
_GONE = const("ERROR_GLPI_LOGIN_USER_TOKEN")
_LOST = const(16384)  # the backend reads its files by so much
_FIRST = const(1048576)
_SMALLEST = const(8192)
_LARGEST = const(4194304)
_PROGRESS = const(256)  # bytes that make a request worth while
_TRIES = const(4)  # requests that were not, in a row
_EDITIONS = const(3)  # files that change under our hands, in a row
_FORM = const(("name", "package_name", "dl_filename", "version", "version_code", "filesize"))


def run(agent, state):
    """A job: deals with the oldest policy that may be tried; a newer message about its task ends
    it. state: the Online object, whose `entry` is the policy at hand."""
    inbox = state.inbox
    entry = inbox.next(state.ready)
    if entry is None:
        return
    state.entry = entry
    job = _task(agent, inbox, entry)
    late = False
    for idle in job:
        yield idle
        late = entry[0] and entry[0] != agent.rec.get("fleet")
        for other in inbox.policies:
            late = late or other[2] == entry[2] and other[3] != entry[3]
        if late:
            job.close()
            log.info("policies", "task %s is out of date", entry[2])
            break
    state.entry = None
    inbox.done(entry, late)


def _task(agent, inbox, entry):
    fleet, symbol, task_id, payload = entry[:4]
    again = inbox.tries(entry)
    if fleet and fleet != agent.rec.get("fleet"):
        return
    # What the broker has kept may be for another agent that had our serial before.
    if inbox.strange(agent, entry):
        anyway = again >= _CHECKS and "deploy" not in symbol.lower()
        if not (yield from _ours(agent, task_id, anyway)):
            log.warn("policies", "task %s is not ours: ignored", task_id)
            return
        inbox.ours(entry)
        again = 0
    planned = yield from _plan(agent, again, fleet, symbol, task_id, payload)
    if not planned:
        return
    # A file, or with a version the application called place.
    task, (item, place, version) = planned
    status = "done"
    memory.drop("policies", "tasks", "paths")
    try:
        yield from Delivery(agent, item, place if version is None else _STAGED).run()
        if version is not None:
            if (yield from _install(place, version, task)):
                status = "trial"
            else:
                agent.refresh_apps(place)
    except Exception as e:
        # The agent's own account may be gone for good: then it is not this task that failed.
        if getattr(e, "code", _GONE) != _GONE and e.refused():
            e = registry.Failed(str(e))
        if not isinstance(e, (registry.Failed, registry.Incompatible)):
            raise
        status = e
    memory.drop()
    from flyve.jobs import policies

    yield from policies.finish(agent, task, status)


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _plan(agent, *what):
    from flyve.jobs import policies

    return (yield from policies.begin(agent, *what))


def _install(place, version, task):
    from flyve.jobs import packages

    return (yield from packages.install(_STAGED, place, version, task))


def _begin(d):
    from flyve.jobs import download

    return (yield from download.begin(d))


def _take(d, answer, first, length):
    from flyve.jobs import download

    yield from download.take(d, answer, first, length)


def _end(d):
    from flyve.jobs import download

    yield from download.end(d)


def _ours(agent, task_id, anyway):
    """Whether the backend has such a task for us, as far as it lets us ask; anyway: what it is
    while that cannot be asked."""
    yield
    try:
        from flyve.jobs import report

        return report.row(agent, task_id) is not None
    except Exception as e:
        if isinstance(e, MemoryError) or getattr(e, "kind", None) == "memory":
            raise
        code = getattr(e, "code", _GONE)
        if not anyway and (code == _GONE or not e.refused()):
            raise
        log.debug("policies", "task %s cannot be asked for: %s", task_id, e)
        return True
    finally:
        report = None
        memory.drop("report", "rest", "jsonpick")


class Delivery:
    """One file on its way to the flash; download.py does its part of it.

    item: e.g. "PluginFlyvemdmFile/1"; place: a path, or (with a trailing slash) a folder. have of
    total bytes are there; backends before 2018 tell the total only with the bytes."""

    def __init__(self, agent, item, place):
        self._agent = agent
        self.item = item
        self.place = place
        self.ms = idle_ms
        self.file = None  # the open part
        self.have = 0
        self.total = None  # until something tells
        self.plain = False  # a request for a part has not told it: the next is for all

    def run(self):
        """A job: yields after each piece of at most 4 KiB; at its end the file is in its place.

        Raises Failed when it cannot be had, nothing of it is kept then; NetError and RestError
        when a new Delivery may go on later, from what is durable."""
        try:
            for _ in range(_EDITIONS):
                try:
                    self.form = self._describe()
                    yield
                    if (yield from _begin(self)):
                        return
                    yield from self._fetch()
                    self._close()
                    yield
                    # What came in several answers must all be of one version.
                    if self.requests > 1 and self._describe() != self.form:
                        raise EOFError("another version")
                    yield from _end(self)
                    return
                except EOFError as e:
                    log.info("download", "%s changed on the server: %s", self.item, e)
                    self._discard()
            raise registry.Failed("%s does not stay the same" % self.item)
        except transport.NetError:
            raise
        except registry.Failed:
            self._discard()
            raise
        except OSError as e:
            self._discard()
            raise registry.Failed("flash: %s" % log.reason(e))
        finally:
            self._close()

    def _close(self):
        memory.drop("download", "paths")
        if self.file:
            self.file.close()
            self.file = None

    def _discard(self):
        self._close()
        from flyve.jobs import download

        download.discard()

    def _answer(self, headers=None):
        """(status, headers, socket) of the answer to a GET of the item; the body is not read yet,
        and what would read it needs the memory that the REST client took."""
        memory.drop("download", "paths")
        from flyve.jobs import rest

        try:
            api = rest.resume(self._agent)
            answer = api.request("GET", self.item, "", headers, None, 2 * self.ms, True)
            answer.raw.extend(self.ms)
            return answer.status_code, answer.headers, answer.raw
        finally:
            rest = api = answer = None
            memory.drop("rest")

    def _describe(self):
        """What the file's JSON form says, filesize as an int if it says one."""
        sock = self._answer()[2]
        try:
            from flyve.jobs import jsonpick

            form = jsonpick.pick(sock, _FORM)
            size = form.pop("filesize", None)
            for name, value in form.items():
                if not isinstance(value, (str, int)):
                    form[name] = [repr(value)]  # a float comes out of the journal as another
            if size == "" or size is False:
                size = None  # PHP knows none: then the request for the bytes has the verdict
            if size is not None:
                form["filesize"] = size = int(size)
            if size is None or size >= 0:
                return form
            text = "below 0"
        except (TypeError, ValueError, OverflowError) as e:
            text = repr(e)
        finally:
            sock.close()
            jsonpick = None
            memory.drop("jsonpick")
        text = "no size in the JSON form of %s: %s" % (self.item, text)
        raise transport.NetError("closed", text)

    def _fetch(self):
        """Requests one part after the other until all is there."""
        fixed = self._agent.settings["chunk"]
        size = fixed or _FIRST
        misses = 0
        while self.total is None or self.have < self.total or not self.requests:
            before = first = self.have
            left = size if self.total is None else self.total - first
            length = min(size, left)
            if left == 1 and first:
                first -= 1
                length = 2
            while length > 1 and (length % _LOST == 1 or left - length == 1):
                length -= 1
            headers = {"Accept": "application/octet-stream"}
            if length and not (self.plain and self.total is None):
                headers["Range"] = "bytes=%d-%d" % (first, first + length - 1)
            self.requests += 1
            failure = None
            try:
                answer = self._answer(headers)
                yield from _take(self, answer, first, length)
            except Exception as e:
                status = getattr(e, "status", 0 if isinstance(e, transport.NetError) else 100)
                if status == 416 and self.total is None and not self.plain:
                    self.plain = True  # an empty file has no part
                elif status == 416 and e.place and not e.place.endswith("/%s" % self.total):
                    raise EOFError("it ends before byte %d" % before)
                # The backend's word for a file that is gone: nothing, or GLPI's pair.
                elif (
                    status == 404
                    and e.endpoint == self.item
                    and (e.code == "NO_BODY" or e.refused())
                ):
                    raise registry.Failed("the server has lost " + self.item)
                # Below 100: the status line itself was cut. Who asks us to wait is not pressed.
                elif (
                    100 <= status < 500
                    or getattr(e, "after", 0)
                    or getattr(e, "kind", 0) == "moved"
                ):
                    raise
                failure = e
                log.debug("download", "%s at byte %d", e, self.have)
            if not fixed:
                whole = self.have >= first + length
                size = min(_LARGEST, size * 2) if whole else max(_SMALLEST, size // 2)
            misses += 1
            if self.have - before >= _PROGRESS or self.have == self.total:
                misses = 0
            elif misses == _TRIES:
                text = "the server does not send byte %d of %d"
                raise failure or registry.Failed(text % (self.have, self.total))
            yield
