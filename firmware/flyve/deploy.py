"""Files and applications on their way from the backend to their place on the flash."""

from flyve import places, resident, rest
from flyve.download import Download, DownloadError
from flyve.registry import Failed

_STAGED = "/apps.new"


def _fetch(agent, item, place):
    """A job: downloads item; place(form) tells the path, or raises Failed."""
    api = rest.resume(agent)
    try:
        yield from Download(api, item, place, agent.settings["chunk"]).run()
    except DownloadError as e:
        raise Failed(str(e))
    except rest.RestError as e:
        # The agent's own account may be gone for good: then it is not this task that failed.
        if 400 <= e.status < 500 and e.code != "ERROR_GLPI_LOGIN_USER_TOKEN":
            raise Failed(str(e))
        raise
    finally:
        agent.session = api.session


def file(agent, item, place):
    """A job: deploys a file to place, a path or (with a trailing slash) a folder; raises Failed,
    or NetError and RestError when it is worth a retry."""

    def path(form):
        name = places.segment(str(form.get("name"))) if place.endswith("/") else ""
        return place + name

    return _fetch(agent, item, path)


def application(agent, item, name, version, restarts):
    """A job: deploys an application; raises as file(), and Incompatible. restarts() is called
    before one that a restart makes current; the job then returns True."""
    yield from _fetch(agent, item, lambda form: _STAGED)
    resident.drop("download")
    packages = resident.load("packages")
    if packages.restarts(_STAGED, name):
        restarts()
    return (yield from packages.install(_STAGED, name, version))
