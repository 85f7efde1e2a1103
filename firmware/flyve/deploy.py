"""Files and applications on their way from the backend to their place on the flash."""

from flyve import registry, resident, rest
from flyve.registry import Failed, Incompatible

_STAGED = "/apps.new"


def run(agent, task, plan):
    """A job: does what policies.begin() has planned, (item, place, version): a file, or with a
    version the application called place. Returns the task's status. Raises NetError and
    RestError when it is worth a retry."""
    item, place, version = plan
    try:
        if version is None:
            yield from _fetch(agent, item, place)
        else:
            yield from _fetch(agent, item, _STAGED)
            if (yield from _install(agent, task, place, version)):
                return "trial"
        return "done"
    except (Failed, Incompatible) as e:
        return registry.told(task, e)


def _fetch(agent, item, place):
    """Downloads item to place, a path or (with a trailing slash) a folder."""
    download = resident.load("download")

    def path(form):
        if not place.endswith("/"):
            return place
        return place + resident.load("places").segment(str(form.get("name")))

    api = rest.resume(agent)
    try:
        yield from download.Download(api, item, path, agent.settings["chunk"]).run()
    except download.DownloadError as e:
        raise Failed(str(e))
    except rest.RestError as e:
        # The agent's own account may be gone for good: then it is not this task that failed.
        if e.refused() and e.code != "ERROR_GLPI_LOGIN_USER_TOKEN":
            raise Failed(str(e))
        raise
    finally:
        agent.session = api.session
        download = api = None
        resident.drop("download", "rest")


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
