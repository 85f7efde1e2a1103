"""GLPI's REST interface: the way to its endpoints, and what agents send to them."""

from __future__ import annotations

from collections.abc import Callable

from flyve_mdm.backend import agents, enrollment, lists, searching, statuses
from flyve_mdm.backend.administration import Administration
from flyve_mdm.backend.assigning import PhpError
from flyve_mdm.backend.glpi import DENIED, JSON_TYPE, Answer, Call, GlpiError
from flyve_mdm.backend.items import Items
from flyve_mdm.backend.model import DEVICE, GUEST, SUPER_ADMIN, Session
from flyve_mdm.backend.rows import KINDS
from flyve_mdm.backend.sessions import Sessions
from flyve_mdm.backend.site import Site
from flyve_mdm.backend.tasks import Tasks


class Rest:
    """Answers calls from the backend's state."""

    def __init__(self, site: Site, admin: Administration, tasks: Tasks) -> None:
        self._site = site
        self._sessions = Sessions(site)
        self._items = Items(site, admin, tasks)
        # What agents send; all else is about items as administrators see them.
        self._agents: dict[str, Callable[[Session, Call], Answer]] = {
            "POST PluginFlyvemdmAgent": self._enroll,
            "PUT PluginFlyvemdmAgent": self._report,
            "PATCH PluginFlyvemdmAgent": self._report,
            "POST PluginFlyvemdmGeolocation": self._geolocation,
            "PUT PluginFlyvemdmTaskstatus": self._task_status,
        }

    def answer(self, call: Call) -> Answer:
        """Answer a call; errors become GLPI's pairs."""
        try:
            self._check_call(call)
            if not call.segments:
                return Answer.html(200, "GLPI REST API")
            if call.endpoint in self._sessions.endpoints:
                return self._sessions.endpoints[call.endpoint](call)
            return self._about_items(self._sessions.find(call), call)
        except GlpiError as error:
            return error.answer(self._site.url.rstrip("/"))
        except PhpError:
            return Answer.html(500, "Internal Server Error")

    def _about_items(self, session: Session, call: Call) -> Answer:
        if call.endpoint == "search":
            with self._site.state.changed:
                return searching.search(self._site, session, call)
        known = call.endpoint in KINDS
        if not known or (call.endpoint.startswith("Plugin") and not self._site.options.plugin):
            raise lists.unknown_type()
        own = self._agents.get(f"{call.method} {call.endpoint}")
        if own and not (call.method in ("PUT", "PATCH") and session.profile == SUPER_ADMIN):
            return own(session, call)
        return self._items.answer(session, call)

    def _check_call(self, call: Call) -> None:
        options = self._site.options
        if not options.api:
            raise GlpiError(400, "ERROR", "API disabled")
        call.payload()
        kinds = ("application/json", "multipart/form-data")
        kind = call.headers.get("content-type", "")
        if options.documented and not any(one in kind for one in kinds):
            raise GlpiError(400, "ERROR", "Bad Request")  # "the header is required"
        if options.app_token:
            given = call.credential("app_token", options.header_only)
            if not given:
                raise GlpiError(
                    400, "ERROR_APP_TOKEN_PARAMETERS_MISSING", "missing parameter app_token", True
                )
            if given != options.app_token:
                raise GlpiError(
                    400,
                    "ERROR_WRONG_APP_TOKEN_PARAMETER",
                    "parameter app_token seems wrong",
                    documented=True,
                )

    def _enroll(self, session: Session, call: Call) -> Answer:
        site, fields = self._site, call.input()
        if session.profile not in (GUEST, SUPER_ADMIN):
            site.events.add("agent refused", reason=DENIED)
            raise GlpiError(400, "ERROR_GLPI_ADD", DENIED)
        agent = enrollment.enroll(site, session, fields)
        if site.options.documented:
            body = f'{{\n  "id": "{agent.id}"\n}}\n'.encode()
            return Answer(200, body, {"Content-Type": JSON_TYPE})
        place = f"{site.url.rstrip('/')}/PluginFlyvemdmAgent/{agent.id}"
        return Answer.of({"id": agent.id, "message": ""}, 201, location=place)

    def _report(self, session: Session, call: Call) -> Answer:
        if session.profile != DEVICE:
            raise GlpiError(400, "ERROR_GLPI_UPDATE", DENIED)
        return agents.update(self._site, session, call.item_id, call.input())

    def _geolocation(self, session: Session, call: Call) -> Answer:
        return statuses.geolocation(self._site, session, call)

    def _task_status(self, session: Session, call: Call) -> Answer:
        return statuses.task_status(self._site, session, call)
