"""Files and applications on their way from the backend to their place on the flash."""

from flyve import places, resident
from flyve.download import Download, DownloadError, describe
from flyve.registry import Failed, Incompatible
from flyve.rest import Rest

_STAGED = "/apps/.new"


def _session(agent):
    rec, settings = agent.rec, agent.settings
    api = Rest(rec.get("url"), settings["token_in"], settings["app_token"])
    api.open(rec.get("api_token"))
    return api


def _fetch(agent, item, place, version):
    """A job: downloads item to place, a path or (with a trailing slash) a folder."""
    api = _session(agent)
    try:
        name, found, total = describe(api, item)
        yield
        path = place + places.segment(name) if place.endswith("/") else place
        chunk = agent.settings["chunk"]
        yield from Download(api, item, version or found, total, path, chunk).run()
    except DownloadError as e:
        raise Failed(str(e))
    finally:
        api.close()


def file(agent, item, place, version):
    """A job: deploys a file; raises Failed, or NetError and RestError when it is worth a retry."""
    yield from _fetch(agent, item, place, version)


def application(agent, item, name, version):
    """A job: deploys an application; raises as file() and Incompatible."""
    yield from _fetch(agent, item, _STAGED, version)
    packages = resident.load("packages")
    try:
        yield from packages.install(_STAGED, name, str(version))
    except packages.PackageError as e:
        raise Failed(str(e))
    except packages.Incompatible as e:
        raise Incompatible(str(e))
