"""Sessions of the REST interface: logging in, profiles, entities (2.1 to 2.4)."""

from __future__ import annotations

import base64
import binascii
import time
from typing import Any

from flyve_mdm.backend import fullsession, rights
from flyve_mdm.backend.glpi import JSON_TYPE, Answer, Call, GlpiError
from flyve_mdm.backend.model import (
    ADMINISTRATOR,
    DEVICE,
    ENTITIES,
    GUEST,
    PROFILES,
    Session,
    User,
    token,
)
from flyve_mdm.backend.site import Site

_ROOT = {"id": 0, "name": "Root entity", "is_recursive": 1}


class Sessions:
    """Answers what is about the session itself."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.endpoints = {
            "initSession": self._init,
            "killSession": self._kill,
            "getFullSession": self._full,
            "getGlpiConfig": self._config,
            "getMyProfiles": self._profiles,
            "getActiveProfile": self._profile,
            "changeActiveProfile": self._change_profile,
            "changeActiveEntities": self._change_entities,
        }

    def find(self, call: Call) -> Session:
        """The session that a call names; raises GlpiError."""
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

    def _init(self, call: Call) -> Answer:
        site = self._site
        with site.state.changed:
            account = self._account(call)
            profile = account.profiles[0]
            wanted = site.options.default_profile
            if profile != DEVICE and account.id != ADMINISTRATOR and wanted in PROFILES:
                profile = wanted
            session = Session(token(40), account, profile, time.monotonic(), call.node)
            site.state.sessions[session.token] = session
        site.events.add("session opened", login=account.login, profile=profile)
        return Answer.of({"session_token": session.token})

    def _account(self, call: Call) -> User:
        site = self._site
        scheme, _, login = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            return self._logged_in(login)
        given = call.credential("user_token", site.options.header_only)
        if not given:
            raise GlpiError(
                400,
                "ERROR_LOGIN_PARAMETERS_MISSING",
                "parameter(s) login, password or user_token are missing",
                documented=True,
            )
        account = site.state.user_by_token(given)
        if account is None:
            site.events.add("session refused")
            raise GlpiError(
                401, "ERROR_GLPI_LOGIN_USER_TOKEN", "parameter user_token seems invalid"
            )
        return account

    def _logged_in(self, encoded: str) -> User:
        if not self._site.options.admin_password:
            raise GlpiError(
                400,
                "ERROR_LOGIN_WITH_CREDENTIALS_DISABLED",
                "usage of initSession resource with credentials is disabled",
                documented=True,
            )
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name, password = "", ""
        for account in self._site.state.users.values():
            if account.login == name and account.password and account.password == password:
                return account
        self._site.events.add("session refused")
        raise GlpiError(401, "ERROR_GLPI_LOGIN", "Incorrect username or password")

    def _kill(self, call: Call) -> Answer:
        session = self.find(call)
        if self._site.options.kill_session_fails:
            raise GlpiError(400, "ERROR", "Bad Request", documented=True)
        with self._site.state.changed:
            self._site.state.sessions.pop(session.token, None)
        self._site.events.add("session killed", login=session.user.login)
        return Answer(200, b"", {"Content-Type": JSON_TYPE})

    def _full(self, call: Call) -> Answer:
        session, options = self.find(call), self._site.options
        self._site.events.add("full session read", login=session.user.login)
        if options.documented and not options.full_session_size:
            body = fullsession.documented_sample(session, options)
            return Answer(200, body, {"Content-Type": JSON_TYPE})
        _, stream = fullsession.document(session, options)
        return Answer(200, stream(), {"Content-Type": JSON_TYPE})

    def _config(self, call: Call) -> Answer:
        self.find(call)
        settings = {
            "version": "9.3.3", "list_limit_max": "500", "url_base": self._site.origin,
            "url_base_api": self._site.url, "use_notifications": "1",
        }  # fmt: skip
        return Answer.of({"cfg_glpi": settings})

    def _profiles(self, call: Call) -> Answer:
        session = self.find(call)
        mine = [
            {"id": one, "name": PROFILES[one], "entities": [_ROOT]}
            for one in session.user.profiles
        ]
        return Answer.of({"myprofiles": mine})

    def _profile(self, call: Call) -> Answer:
        session = self.find(call)
        profile: dict[str, Any] = {"id": session.profile, "name": PROFILES[session.profile]}
        return Answer.of({"active_profile": profile | rights.of(self._site, session)})

    def _change_profile(self, call: Call) -> Answer:
        session, options = self.find(call), self._site.options
        wanted = call.payload().get("profiles_id", call.query.get("profiles_id"))
        if wanted in (None, "") or options.profile_change == "400":
            raise GlpiError(400, "ERROR", "Bad Request", documented=True)
        allowed = set(session.user.profiles)
        if session.profile != DEVICE and session.user.id != ADMINISTRATOR:
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

    def _change_entities(self, call: Call) -> Answer:
        session = self.find(call)
        body = call.payload()
        wanted, recursive = body.get("entities_id", "all"), body.get("is_recursive", False)
        known = wanted == "all" or (str(wanted).isdigit() and int(wanted) in ENTITIES)
        if not known or not isinstance(recursive, bool):
            raise GlpiError(400, "ERROR", "Bad Request", documented=True)
        session.entity = 0 if wanted == "all" else int(wanted)
        below = session.entity == 0 and (recursive or wanted == "all")
        session.entities = ENTITIES if below else (session.entity,)
        return Answer.of(True)
