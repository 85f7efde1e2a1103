"""GLPI's REST interface: sessions, profiles and the way to the other endpoints (2.1 to 2.4)."""

from __future__ import annotations

import time
from collections.abc import Callable

from flyve_mdm.backend import agents, enrollment, files, fullsession, statuses, user
from flyve_mdm.backend.glpi import DENIED, JSON_TYPE, Answer, Call, GlpiError
from flyve_mdm.backend.model import DEVICE, GUEST, PROFILES, SUPER_ADMIN, Session, token
from flyve_mdm.backend.site import Site


class Rest:
    """Answers calls from the backend's state."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._endpoints: dict[str, Callable[[Call], Answer]] = {
            "initSession": self._init_session,
            "getFullSession": self._get_full_session,
            "changeActiveProfile": self._change_active_profile,
            "killSession": self._kill_session,
            "PluginFlyvemdmAgent": self._agent,
            "PluginFlyvemdmFile": self._file,
            "PluginFlyvemdmPackage": self._file,
            "PluginFlyvemdmGeolocation": self._geolocation,
            "PluginFlyvemdmTaskstatus": self._task_status,
            "search": self._search,
            "User": self._user,
        }

    def answer(self, call: Call) -> Answer:
        """Answer a call; errors become GLPI's pairs."""
        try:
            self._check_call(call)
            if not call.segments:
                return Answer.html(200, "GLPI REST API")
            if call.endpoint in self._endpoints:
                return self._endpoints[call.endpoint](call)
            self._session(call)
            raise GlpiError(
                400,
                "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM",
                "resource not found or not an instance of CommonDBTM",
                documented=True,
            )
        except GlpiError as error:
            return error.answer(self._site.url.rstrip("/"))

    def _check_call(self, call: Call) -> None:
        options = self._site.options
        call.payload()
        if options.documented and "application/json" not in call.headers.get("content-type", ""):
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

    def _session(self, call: Call) -> Session:
        options, state = self._site.options, self._site.state
        given = call.credential("session_token", options.header_only)
        if not given:
            raise GlpiError(
                400,
                "ERROR_SESSION_TOKEN_MISSING",
                "parameter session_token is missing or empty",
                documented=True,
            )
        with state.changed:
            session = state.sessions.get(given)
            now = time.monotonic()
            alive = session is not None and now - session.used <= options.session_idle
            if alive and options.sticky and session.node != call.node:
                raise GlpiError(401, "ERROR_SESSION_TOKEN_INVALID", "session_token seems invalid")
            if not alive or session.user.id not in state.users:
                state.sessions.pop(given, None)
                raise GlpiError(
                    401,
                    "ERROR_SESSION_TOKEN_INVALID",
                    "session_token seems invalid",
                    documented=True,
                )
            session.used = now
            return session

    def _init_session(self, call: Call) -> Answer:
        site = self._site
        given = call.credential("user_token", site.options.header_only)
        if not given:
            raise GlpiError(
                400,
                "ERROR_LOGIN_PARAMETERS_MISSING",
                "parameter(s) login, password or user_token are missing",
                documented=True,
            )
        with site.state.changed:
            account = site.state.user_by_token(given)
            if account is None:
                site.events.add("session refused")
                raise GlpiError(
                    401, "ERROR_GLPI_LOGIN_USER_TOKEN", "parameter user_token seems invalid"
                )
            profile = account.profiles[0]
            wanted = site.options.default_profile
            if profile != DEVICE and wanted in PROFILES:
                profile = wanted
            session = Session(token(40), account, profile, time.monotonic(), call.node)
            site.state.sessions[session.token] = session
        site.events.add("session opened", login=account.login, profile=profile)
        return Answer.of({"session_token": session.token})

    def _get_full_session(self, call: Call) -> Answer:
        session, options = self._session(call), self._site.options
        self._site.events.add("full session read", login=session.user.login)
        if options.documented and not options.full_session_size:
            body = fullsession.documented_sample(session, options)
            return Answer(200, body, {"Content-Type": JSON_TYPE})
        _, stream = fullsession.document(session, options)
        return Answer(200, stream(), {"Content-Type": JSON_TYPE})

    def _change_active_profile(self, call: Call) -> Answer:
        session, options = self._session(call), self._site.options
        wanted = call.payload().get("profiles_id", call.query.get("profiles_id"))
        if wanted in (None, "") or options.profile_change == "400":
            raise GlpiError(400, "ERROR", "Bad Request", documented=True)
        allowed = set(session.user.profiles)
        if session.profile != DEVICE:
            allowed |= {options.default_profile}
            allowed |= {GUEST} if options.has_guest_profile else set()
            allowed -= set() if options.has_guest_profile else {GUEST}
        known = str(wanted).isdigit() and int(wanted) in allowed
        if options.profile_change == "silent":
            self._site.events.add("profile switch ignored", login=session.user.login)
        elif options.profile_change == "404" or not known:
            self._site.events.add("profile refused", login=session.user.login)
            raise GlpiError(404, "ERROR_ITEM_NOT_FOUND", "Item not found")
        else:
            session.profile = int(wanted)
            self._site.events.add(
                "profile switched", login=session.user.login, profile=session.profile
            )
        return Answer(200, b"", {"Content-Type": JSON_TYPE})

    def _kill_session(self, call: Call) -> Answer:
        session = self._session(call)
        if self._site.options.kill_session_fails:
            raise GlpiError(400, "ERROR", "Bad Request", documented=True)
        with self._site.state.changed:
            self._site.state.sessions.pop(session.token, None)
        self._site.events.add("session killed", login=session.user.login)
        return Answer(200, b"", {"Content-Type": JSON_TYPE})

    def _agent(self, call: Call) -> Answer:
        session, site = self._session(call), self._site
        if call.method == "POST":
            fields = call.input()
            if session.profile not in (GUEST, SUPER_ADMIN):
                site.events.add("agent refused", reason=DENIED)
                raise GlpiError(400, "ERROR_GLPI_ADD", DENIED)
            agent = enrollment.enroll(site, session, fields)
            if site.options.documented:
                body = f'{{\n  "id": "{agent.id}"\n}}\n'.encode()
                return Answer(200, body, {"Content-Type": JSON_TYPE})
            place = f"{site.url.rstrip('/')}/PluginFlyvemdmAgent/{agent.id}"
            return Answer.of({"id": agent.id, "message": ""}, 201, location=place)
        if call.method == "GET":
            return agents.read(site, session, call.item_id)
        if call.method in ("PUT", "PATCH"):
            return agents.update(site, session, call.item_id, call.input())
        if call.method == "DELETE":
            raise GlpiError(401, "ERROR_RIGHT_MISSING", DENIED)
        raise GlpiError(405, "ERROR_METHOD_NOT_ALLOWED", "Method Not Allowed")

    def _file(self, call: Call) -> Answer:
        session = self._session(call)
        if call.method != "GET":
            raise GlpiError(401, "ERROR_RIGHT_MISSING", DENIED)
        return files.read(self._site, session, call)

    def _geolocation(self, call: Call) -> Answer:
        return statuses.geolocation(self._site, self._session(call), call)

    def _task_status(self, call: Call) -> Answer:
        return statuses.task_status(self._site, self._session(call), call)

    def _search(self, call: Call) -> Answer:
        return statuses.search(self._site, self._session(call), call)

    def _user(self, call: Call) -> Answer:
        return user.update(self._site, self._session(call), call)
