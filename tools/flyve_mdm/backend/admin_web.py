"""The administrator's HTTP interface under /flyve-admin: what `flyve admin` speaks to."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flyve_mdm.backend import invitation
from flyve_mdm.backend.administration import ANSWER_WAIT, Administration, UnknownAgent
from flyve_mdm.backend.inventory import rows
from flyve_mdm.backend.site import Site
from flyve_mdm.backend.tasks import Tasks

_LOOPBACK = ("127.", "::1", "::ffff:127.")
_MAX_WAIT = 600.0
_WHY_WAIT = 5.0  # an agent tells why a task failed after its status


class Commands:
    """One method for each command; arguments are the JSON body's members."""

    def __init__(self, site: Site, admin: Administration, tasks: Tasks) -> None:
        self._site, self._admin, self._tasks = site, admin, tasks

    def invite(self, email: str, **fields: str) -> Any:
        """Invite a person."""
        return {"deeplink": invitation.invite(self._site, email, **fields)}

    def list(self) -> Any:
        """All agents."""
        return {"agents": self._admin.describe()}

    def ping(self, agent: str, wait: float = ANSWER_WAIT) -> Any:
        """Ping an agent."""
        return {"answered": self._admin.ping(agent, _bounded(wait))}

    def geolocate(self, agent: str, wait: float = ANSWER_WAIT) -> Any:
        """Ask an agent where it is."""
        position = self._admin.geolocate(agent, _bounded(wait))
        return {"answered": position is not None, "position": position}

    def inventory(self, agent: str, wait: float = ANSWER_WAIT, last: bool = False) -> Any:
        """Ask an agent for its inventory; last: tell the one that is there."""
        answered = last or self._admin.inventory(agent, _bounded(wait))
        found = self._admin.agent(agent)
        xml = self._site.state.computers[found.computer_id].inventory
        return {"answered": answered, "xml": xml, "rows": rows(xml)}

    def lock(self, agent: str, unlock: bool = False) -> Any:
        """Lock or unlock an agent."""
        return {"sent": self._admin.lock(agent, unlock)}

    def wipe(self, agent: str) -> Any:
        """Wipe an agent."""
        self._admin.wipe(agent)
        return {"sent": True}

    def unenroll(self, agent: str, wait: float = ANSWER_WAIT) -> Any:
        """Unenroll an agent."""
        return {"answered": self._admin.unenroll(agent, _bounded(wait))}

    def delete(self, agent: str) -> Any:
        """Delete an agent by force."""
        self._admin.delete(agent)
        return {"sent": True}

    def fleet(self, agent: str, name: str | None = None) -> Any:
        """Move an agent to a fleet, or out of all."""
        fleet = self._admin.fleet(agent, name)
        return {"fleet": fleet.name, "id": fleet.id}

    def deploy_file(
        self, agent: str, name: str, content: str, destination: str, wait: float = 0
    ) -> Any:
        """Deploy a file, whose content comes in base64."""
        data = base64.b64decode(content, validate=True)
        return self._task(self._tasks.deploy_file(agent, data, destination, name), wait)

    def remove_file(self, agent: str, path: str, wait: float = 0) -> Any:
        """Remove a file."""
        return self._task(self._tasks.remove_file(agent, path), wait)

    def deploy_app(
        self,
        agent: str,
        package: str,
        name: str,
        content: str,
        version_code: str = "1",
        wait: float = 0,
    ) -> Any:
        """Deploy an application, whose content comes in base64."""
        data = base64.b64decode(content, validate=True)
        task = self._tasks.deploy_app(agent, data, package, version_code, name)
        return self._task(task, wait)

    def remove_app(self, agent: str, package: str, wait: float = 0) -> Any:
        """Remove an application."""
        return self._task(self._tasks.remove_app(agent, package), wait)

    def _task(self, task: Any, wait: float) -> Any:
        status, why = self._tasks.wait_task(task, _bounded(wait)), None
        if wait and status in ("failed", "incompatible"):
            agent = self._site.state.targets(task)[0]
            why = self._admin.why(agent, task, _WHY_WAIT)
            if why is None and self._admin.inventory(agent, _WHY_WAIT):
                why = self._admin.why(agent, task)
        return {"task": task.id, "status": status, "why": why}


def _bounded(wait: float) -> float:
    return max(0.0, min(float(wait), _MAX_WAIT))


def application(commands: Commands) -> Starlette:
    """The ASGI application; only this machine may use it."""

    async def run(request: Request) -> JSONResponse:
        # Who comes from the address it came to is this machine as well.
        client, server = request.client, request.scope["server"]
        here = client and (client.host.startswith(_LOOPBACK) or client.host == server[0])
        if not here:
            return _error(403, "the administrator's interface answers this machine only")
        # A web page of another site cannot send this type without being asked first.
        if request.headers.get("content-type") != "application/json":
            return _error(415, "send application/json")
        name = request.path_params["command"].replace("-", "_")
        method: Callable[..., Any] | None = getattr(commands, name, None)
        if name.startswith("_") or method is None:
            return _error(404, f"no command {request.path_params['command']}")
        try:
            arguments = json.loads(await request.body() or b"{}")
            return JSONResponse(await run_in_threadpool(method, **arguments))
        except UnknownAgent as error:
            return _error(404, str(error))
        except (TypeError, ValueError, binascii.Error) as error:
            return _error(400, str(error))

    return Starlette(routes=[Route("/{command}", run, methods=["POST"])])


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)
