"""The page's addresses, beside those of the REST interface."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import segno
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from flyve_mdm import options
from flyve_mdm.backend.addresses import loopback
from flyve_mdm.backend.administration import Administration, UnknownAgent
from flyve_mdm.backend.invitation import invite
from flyve_mdm.backend.model import Agent
from flyve_mdm.backend.page.guard import Guard
from flyve_mdm.backend.page.orders import QUESTIONS, Orders, Wrong
from flyve_mdm.backend.page.render import FOLDER, page
from flyve_mdm.backend.page.views import Views
from flyve_mdm.backend.site import Site
from flyve_mdm.backend.tasks import Tasks

_KEPT = 50  # notes and deeplinks that wait for their page
_FIELDS = 20  # of one form


class Page:
    """An ASGI application that leaves to `rest` what is not its own."""

    def __init__(
        self, site: Site, admin: Administration, tasks: Tasks, guard: Guard, rest: Callable
    ) -> None:
        self._site, self._admin, self._guard, self._rest = site, admin, guard, rest
        self._orders, self._views = Orders(site, admin, tasks), Views(site)
        self._notes, self._links = _Kept(), _Kept()
        device = "/page/device/{id:int}"
        self._app = Starlette(
            routes=[
                Route("/", self._list),
                Route("/page/style.css", lambda _: FileResponse(FOLDER / "style.css")),
                Route("/page/live.js", lambda _: FileResponse(FOLDER / "live.js")),
                Route("/page/invite", self._invite, methods=["POST"]),
                Route("/page/invitation/{key}", self._invitation),
                Route(device, self._device),
                Route(f"{device}/{{order}}", self._ask),
                Route(f"{device}/{{order}}", self._obey, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _trouble, UnknownAgent: _gone},
        )

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        """Answer a request, if the guard lets it in."""
        path = scope["path"]
        if path != "/" and not path.startswith("/page/"):
            await self._rest(scope, receive, send)
            return

        async def sealed(message: dict) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._guard.seals]
            await send(message)

        request = Request(scope)
        refusal = self._guard.refusal(request)
        answer: Callable = self._app
        if refusal and path != "/page/style.css":
            answer = page("message", 403, title="Not for you yet", text=refusal, back="")
        elif not refusal and self._guard.enters(request):
            # A redirect would lose the cookie where a link of another page led here.
            answer = page("enter")
            self._guard.welcome(request, answer)
        await answer(scope, receive, sealed)

    def _list(self, request: Request, status: int = 200, **shown: Any) -> Response:
        number = request.query_params.get("page", "1")
        view = self._views.listed(int(number) if number.isdecimal() and len(number) < 9 else 1)
        return self._shown("list", request, status, f"/?page={view.page}", view=view, **shown)

    def _device(self, request: Request, status: int = 200, **shown: Any) -> Response:
        agent = self._agent(request)
        return self._shown(
            "device", request, status, f"/page/device/{agent.id}",
            device=self._views.device(agent), details=self._views.details(agent),
            inventory=self._views.inventory(agent), fleets=self._fleets(), **shown,
        )  # fmt: skip

    def _shown(self, name: str, request: Request, status: int, live: str, **values) -> Response:
        note = self._notes.get(request.query_params.get("note", ""))
        known = {"form": self._guard.form, "note": note, "live": live, "typed": {}, "wrong": {}}
        return page(name, status, **{**known, **values})

    def _agent(self, request: Request) -> Agent:
        agent = self._site.state.agents.get(request.path_params["id"])
        if agent is None:
            raise UnknownAgent
        return agent

    def _fleets(self) -> list[str]:
        with self._site.state.changed:
            return [one.name for one in self._site.state.fleets.values() if not one.is_default]

    async def _form(self, request: Request) -> FormData:
        """The fields of a form of the page's own; raises HTTPException."""
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            raise HTTPException(411, "The form does not tell its length.")
        limit = self._site.options.post_max_size
        if int(length) > limit:
            # A browser reads no answer before it has sent all.
            async for _ in request.stream():
                pass
            raise HTTPException(413, f"That is too large: {limit >> 20} MiB are the most.")
        form = await request.form(max_files=1, max_fields=_FIELDS)
        if not self._guard.own(str(form.get("form", ""))):
            raise HTTPException(403, "This form is of another start of the backend: go back.")
        return form

    async def _invite(self, request: Request) -> Response:
        form = await self._form(request)
        email = str(form.get("email", "")).strip()
        try:
            options.email(email)
        except ValueError as error:
            wrong = {"email": f"{error}."}
            return await run_in_threadpool(
                self._list, request, 400, typed={"email": email}, wrong=wrong
            )
        helpdesk = self._site.state.helpdesk.values()
        link = await run_in_threadpool(invite, self._site, email, *helpdesk)
        return _to(f"/page/invitation/{self._links.keep((email, link))}")

    def _invitation(self, request: Request) -> Response:
        """Shows an invitation's deeplink, which is a secret, this once."""
        email, link = self._links.take(request.path_params["key"]) or ("", "")
        code = segno.make(link, error="m", micro=False) if link else None
        drawn = code and code.svg_inline(omitsize=True, dark="#000", light="#fff", border=4)
        near = self._site.name if loopback(self._site.name) else ""
        return page(
            "invited", 200 if link else 404, email=email, link=link, code=Markup(drawn), near=near
        )

    def _ask(self, request: Request) -> Response:
        agent, order = self._agent(request), request.path_params["order"]
        if order not in QUESTIONS:
            return _to(f"/page/device/{agent.id}")
        return page(
            "question", question=QUESTIONS[order], order=order, device=self._views.device(agent),
            form=self._guard.form,
        )  # fmt: skip

    async def _obey(self, request: Request) -> Response:
        form = await self._form(request)
        return await run_in_threadpool(self._obeyed, request, form)

    def _obeyed(self, request: Request, form: FormData) -> Response:
        agent, order = self._agent(request), request.path_params["order"]
        if order not in self._orders:
            raise HTTPException(404, "There is no such order.")
        try:
            note = self._orders.obey(order, agent, form)
        except Wrong as wrong:
            typed = {name: text for name, text in form.items() if isinstance(text, str)}
            return self._device(request, 400, typed=typed, wrong={wrong.field: str(wrong)})
        gone = agent.id not in self._site.state.agents
        here = "/" if gone or form.get("back") == "list" else f"/page/device/{agent.id}"
        return _to(f"{here}?note={self._notes.keep(note)}")


class _Kept(OrderedDict):
    """The newest of what a page that comes next shows, by keys that nobody guesses."""

    def keep(self, value: Any) -> str:
        """Keep it; returns its key."""
        key = secrets.token_urlsafe(12)
        self[key] = value
        while len(self) > _KEPT:
            self.popitem(last=False)
        return key

    def take(self, key: str) -> Any:
        """What was kept under this key, once."""
        return self.pop(key, None)


def _to(where: str) -> Response:
    return RedirectResponse(where, 303)


def _trouble(_: Request, error: HTTPException) -> Response:
    title = {403: "Not from here", 404: "Not here", 413: "Too large"}.get(
        error.status_code, "That did not work"
    )
    return page("message", error.status_code, title=title, text=error.detail, back="/")


def _gone(_: Request, __: UnknownAgent) -> Response:
    text = "This device is gone: it was unenrolled or deleted."
    return page("message", 404, title="Gone", text=text, back="/")
