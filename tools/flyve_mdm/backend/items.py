"""GLPI's item types for administrators: which verb does what to which of them."""

from __future__ import annotations

import time
from typing import Any

from flyve_mdm.backend import (
    agents,
    assigning,
    files,
    inviting,
    lists,
    orders,
    rights,
    uploads,
    user,
)
from flyve_mdm.backend.administration import Administration
from flyve_mdm.backend.glpi import Answer, Call, GlpiError, php_text
from flyve_mdm.backend.model import DocumentType, Fleet, Session
from flyve_mdm.backend.rows import KINDS
from flyve_mdm.backend.site import Site
from flyve_mdm.backend.tasks import Tasks

_FILES = ("PluginFlyvemdmFile", "PluginFlyvemdmPackage")


class Items:
    """Reads, creates, changes and deletes items; each right is that of the session's profile."""

    def __init__(self, site: Site, admin: Administration, tasks: Tasks) -> None:
        self._site, self._admin, self._tasks = site, admin, tasks
        self._adds = {
            "DocumentType": self._add_document_type,
            "PluginFlyvemdmFile": self._add_file,
            "PluginFlyvemdmFleet": self._add_fleet,
            "PluginFlyvemdmInvitation": self._add_invitation,
            "PluginFlyvemdmPackage": self._add_file,
            "PluginFlyvemdmTask": self._add_task,
            "User": self._add_user,
        }
        self._updates = {
            "PluginFlyvemdmAgent": self._update_agent,
            "PluginFlyvemdmEntityConfig": self._update_helpdesk,
            "PluginFlyvemdmFile": self._update_file,
            "PluginFlyvemdmInvitation": self._update_invitation,
            "PluginFlyvemdmPackage": self._update_file,
            "PluginFlyvemdmTask": self._update_task,
        }
        self._deletes = {
            "PluginFlyvemdmAgent": self._delete_agent,
            "PluginFlyvemdmFile": self._delete_file,
            "PluginFlyvemdmFleet": self._delete_fleet,
            "PluginFlyvemdmPackage": self._delete_file,
            "PluginFlyvemdmTask": self._delete_task,
        }
        self._tables = {
            "PluginFlyvemdmAgent": site.state.agents,
            "PluginFlyvemdmFile": site.state.files,
            "PluginFlyvemdmFleet": site.state.fleets,
            "PluginFlyvemdmInvitation": site.state.invitations,
            "PluginFlyvemdmPackage": site.state.packages,
            "PluginFlyvemdmTask": site.state.tasks,
        }

    def answer(self, session: Session, call: Call) -> Answer:
        """Answer a call about an item type; raises GlpiError."""
        name, right = call.endpoint, KINDS[call.endpoint].right
        if name == "PluginFlyvemdmTask":
            right = ""  # it has none of its own: that of its target counts
        if call.method == "GET":
            return self._read(session, call)
        if call.method == "POST" and name in self._adds:
            rights.need(self._site, session, right, rights.CREATE)
            return self._adds[name](session, call)
        if call.method in ("PUT", "PATCH"):
            if name == "User":
                return user.update(self._site, session, call)
            if name in self._updates:
                rights.need(self._site, session, right, rights.UPDATE)
                return self._updates[name](session, call)
        if call.method == "DELETE" and name in self._deletes:
            rights.need(self._site, session, right, rights.PURGE)
            return self._deletes[name](call)
        raise GlpiError(405, "ERROR_METHOD_NOT_ALLOWED", "Method Not Allowed")

    def _read(self, session: Session, call: Call) -> Answer:
        """These two tell more of one item than lists do."""
        if len(call.segments) == 2 and call.endpoint == "PluginFlyvemdmAgent":
            rights.need(self._site, session, "flyvemdm:agent", rights.READ)
            return agents.read(self._site, session, call.item_id)
        if len(call.segments) == 2 and call.endpoint in _FILES:
            return files.read(self._site, session, call)
        with self._site.state.changed:
            return lists.read(self._site, session, call)

    def _find(self, call: Call, code: str) -> Any:
        item = self._tables[call.endpoint].get(call.item_id)
        if item is None:
            raise GlpiError(400, code, None)  # not even a text
        return item

    def _added(self, call: Call, number: int, name: str, **more: Any) -> Answer:
        place = f"{self._site.url.rstrip('/')}/{call.endpoint}/{number}"
        message = f"Item successfully added: {name}"
        return Answer.of({"id": number, "message": message, **more}, 201, location=place)

    def _done(self, call: Call, message: str = "") -> Answer:
        return Answer.of([{str(call.item_id): True, "message": message}])

    def _add_fleet(self, session: Session, call: Call) -> Answer:
        fields = call.input()
        entity = int(fields.get("entities_id", session.entity))
        name = str(fields.get("name") or "")
        fleet = self._site.state.add("fleets", Fleet, name=name, entity=entity)
        return self._added(call, fleet.id, name)

    def _add_document_type(self, session: Session, call: Call) -> Answer:
        fields = call.input()
        added = self._site.state.add(
            "document_types", DocumentType, name=str(fields.get("name") or ""),
            ext=str(fields.get("ext") or ""), is_uploadable=int(fields.get("is_uploadable", 0)),
        )  # fmt: skip
        return self._added(call, added.id, added.name)

    def _add_user(self, session: Session, call: Call) -> Answer:
        added = inviting.add_user(self._site, call.input())
        return self._added(call, added.id, added.login)

    def _add_invitation(self, session: Session, call: Call) -> Answer:
        added = inviting.add_invitation(self._site, call.input())
        return self._added(call, added.id, "Invitation")

    def _add_file(self, session: Session, call: Call) -> Answer:
        package = call.endpoint == "PluginFlyvemdmPackage"
        sent = uploads.upload(self._site, call, package)
        added = uploads.add(self._site, session, sent, package)
        size = len(sent.data)
        result = {"name": sent.name, "size": size, "filesize": size, "type": files.BYTES_TYPE}
        return self._added(call, added.id, added.name, upload_result={"file": [result]})

    def _add_task(self, session: Session, call: Call) -> Answer:
        fields = call.input()
        fleet = fields.get("itemtype_applied") != "PluginFlyvemdmAgent"
        right = "flyvemdm:fleet" if fleet else "flyvemdm:agent"
        rights.need(self._site, session, right, rights.UPDATE)
        added = assigning.add(self._site, self._tasks, fields)
        return self._added(call, added.id, added.symbol)

    def _fields(self, call: Call) -> dict[str, str | None]:
        """What GLPI makes of a PUT's fields: texts; it cannot of an object."""
        fields = call.input()
        if any(isinstance(value, (dict, list)) for value in fields.values()):
            raise assigning.PhpError
        return {name: php_text(value) for name, value in fields.items()}

    def _update_agent(self, session: Session, call: Call) -> Answer:
        agent = self._find(call, "ERROR_GLPI_UPDATE")
        message = orders.update(self._site, self._admin, agent, self._fields(call))
        return self._done(call, message)

    def _update_helpdesk(self, session: Session, call: Call) -> Answer:
        inviting.change_helpdesk(self._site, call.input())
        return self._done(call)

    def _update_file(self, session: Session, call: Call) -> Answer:
        if "multipart/form-data" in call.headers.get("content-type", ""):
            uploads.upload(self._site, call, False)
        file = self._find(call, "ERROR_GLPI_UPDATE")
        package = call.endpoint == "PluginFlyvemdmPackage"
        with self._site.state.changed:
            newer = uploads.change(self._site, file, self._fields(call), package)
        if newer:
            self._tasks.redeploy(file)
        return self._done(call, "No file uploaded" if package else "")

    def _update_invitation(self, session: Session, call: Call) -> Answer:
        invitation, fields = self._find(call, "ERROR_GLPI_UPDATE"), self._fields(call)
        with self._site.state.changed:
            invitation.status = fields.get("status") or invitation.status
            if fields.get("status") == "pending":
                invitation.expires = time.time() + self._site.options.invitation_life
        return self._done(call)

    def _update_task(self, session: Session, call: Call) -> Answer:
        task = self._find(call, "ERROR_GLPI_UPDATE")
        assigning.change(self._tasks, task, self._fields(call).get("value"))
        return self._done(call)

    def _delete_agent(self, call: Call) -> Answer:
        self._admin.delete(self._find(call, "ERROR_GLPI_DELETE"))
        return self._done(call)

    def _delete_task(self, call: Call) -> Answer:
        assigning.remove(self._site, self._tasks, self._find(call, "ERROR_GLPI_DELETE"))
        return self._done(call)

    def _delete_file(self, call: Call) -> Answer:
        file = self._find(call, "ERROR_GLPI_DELETE")
        for task in [one for one in self._site.state.tasks.values() if one.item is file]:
            assigning.remove(self._site, self._tasks, task)
        del self._tables[call.endpoint][file.id]
        return self._done(call)

    def _delete_fleet(self, call: Call) -> Answer:
        fleet, state = self._find(call, "ERROR_GLPI_DELETE"), self._site.state
        if fleet.is_default:
            raise GlpiError(400, "ERROR_GLPI_DELETE", "")
        for agent in [one for one in state.agents.values() if one.fleet_id == fleet.id]:
            self._admin.move(agent, state.default_fleet)
        for task in [one for one in state.tasks.values() if one.fleet_id == fleet.id]:
            assigning.remove(self._site, self._tasks, task)
        del state.fleets[fleet.id]
        return self._done(call)
