"""One policy, from its message to its status, with the file or application that it brings.

The modules for each step come and go, so that few of them are in RAM beside a connection.
"""

from micropython import const

from flyve import log, registry, resident
from flyve.registry import Failed

idle_ms = 15000  # for one piece: a server slower than 280 bytes a second is given up

_STAGED = const("/apps.new")
_EDITIONS = const(3)  # files that change under our hands, in a row
_FORM = const(("name", "package_name", "dl_filename", "version", "version_code", "filesize"))


def run(state):
    """A job: deals with the oldest policy; a newer message about its task ends it. state: the
    Online object, whose `entry` is the policy that broke off, if this one does."""
    inbox, rec = state.inbox, state.agent.rec
    entry = inbox.take(inbox.policies)
    again = entry is state.entry
    state.entry = entry
    job = _task(state.agent, again, entry)
    for idle in job:
        yield idle
        if entry[0] and entry[0] != rec.get("fleet"):
            break
        if any(other[2] == entry[2] and other[3] != entry[3] for other in inbox.policies):
            break
    else:
        state.entry = None
        return
    job.close()
    state.entry = None
    log.info("policies", "task %s is out of date", entry[2])


def _task(agent, again, entry):
    planned = yield from resident.load("policies").begin(agent, again, *entry)
    if planned:
        resident.drop("policies", "tasks", "files")
        status = yield from _deploy(agent, *planned)
        resident.drop()
        yield from resident.load("policies").finish(agent, planned[0], status)


def _deploy(agent, task, plan):
    """A job: does what policies.begin() has planned, (item, place, version): a file, or with a
    version the application called place. Returns the task's status. Raises NetError and
    RestError when it is worth a retry."""
    item, place, version = plan
    try:
        yield from _fetch(agent, item, place if version is None else _STAGED)
        if version is not None and (yield from _install(agent, task, place, version)):
            return "trial"
        return "done"
    except (Failed, registry.Incompatible) as e:
        return registry.told(task, e)


def _fetch(agent, item, place):
    rest = resident.load("rest")
    try:
        yield from Delivery(rest.resume(agent), item, place, agent.settings["chunk"]).run()
    except rest.RestError as e:
        # The agent's own account may be gone for good: then it is not this task that failed.
        if e.refused() and e.code != "ERROR_GLPI_LOGIN_USER_TOKEN":
            raise Failed(str(e))
        raise
    finally:
        rest = None
        resident.drop("download", "files", "rest")


def _install(agent, task, name, version):
    packages = resident.load("packages")
    if packages.restarts(_STAGED, name):
        # A cut after the installation must find out how it has ended.
        tasks = resident.load("tasks")
        task[tasks.STATUS] = tasks.TRIAL
        tasks.put(task)
    restart = yield from packages.install(_STAGED, name, version)
    if not restart:
        agent.refresh_apps(name)
    return restart


class Delivery:
    """One file on its way to the flash, for files.py and download.py.

    item: e.g. "PluginFlyvemdmFile/1"; place: a path, or (with a trailing slash) a folder; chunk
    fixes the bytes of one request. have of total bytes are there."""

    def __init__(self, api, item, place, chunk=None):
        self.api = api
        self.item = item
        self.place = place
        self.chunk = chunk

    def run(self):
        """A job: yields after each piece of at most 4 KiB; at its end the file is in its place.

        Raises Failed when it cannot be had, nothing of it is kept then; NetError and RestError
        when a new Delivery may go on later, from what is durable."""
        try:
            for _ in range(_EDITIONS):
                try:
                    yield from self._edition()
                    return
                except EOFError as e:
                    log.info("download", "%s changed on the server: %s", self.item, e)
                    resident.load("files").discard()
            raise Failed("%s does not stay the same" % self.item)
        except (Failed, OSError) as e:
            if hasattr(e, "kind"):  # a NetError
                raise
            resident.load("files").discard()
            raise e if isinstance(e, Failed) else Failed("flash: %s" % e)

    def _edition(self):
        """Fetches the file as it is now; raises EOFError when it is another one meanwhile."""
        self.form = self._describe()
        self.ms = idle_ms
        yield
        if (yield from resident.load("files").begin(self)):
            return
        resident.drop("files")
        yield from resident.load("download").run(self)
        resident.drop("download")
        yield
        # What came in several answers must all be of one version.
        if self.requests > 1 and self._describe() != self.form:
            raise EOFError("another version")
        yield from resident.load("files").end(self)

    def _describe(self):
        """What the file's JSON form says, filesize as an int."""
        form = self.api.pick("GET", self.item, _FORM, ms=2 * idle_ms)
        try:
            form["filesize"] = self.total = int(form["filesize"])
            if self.total >= 0:
                return form
        except (KeyError, TypeError, ValueError, OverflowError):
            pass
        text = "no size in the JSON form of " + self.item
        raise resident.load("rest").RestError(200, "NO_SIZE", text)
