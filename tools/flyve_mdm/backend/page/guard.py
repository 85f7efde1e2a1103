"""Who may see the page: browsers on this machine that know its token."""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from flyve_mdm.backend.addresses import loopback

# No markup but the page's own does anything, and no other page can show this one.
_SEALS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Knows the secrets of one start. names: under which the page may be asked for; anywhere:
    other machines may see it, too; seals: headers of each answer."""

    seals = [(name.lower().encode(), value.encode()) for name, value in _SEALS.items()]

    def __init__(self, names: Iterable[str], secure: bool, anywhere: bool) -> None:
        self.token, self.form = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self._names = {"localhost", *(name.lower() for name in names)}
        self._secure, self._anywhere = secure, anywhere

    def refusal(self, request: Request) -> str:
        """Why a request gets no page, or ""."""
        if not self._anywhere and not _same_machine(request):
            return (
                "This page is for the machine that `flyve backend` runs on: --bind opens it "
                "to others."
            )
        if not self._knows(request.headers.get("host", "")):
            return "Open this page by the address that `flyve backend` printed."
        if not self.enters(request) and not self._entered(request):
            return "Open `page` of the line that `flyve backend` printed: its token is in there."
        return ""

    def _knows(self, host: str) -> bool:
        """A name of somebody's own may be made to lead here (DNS rebinding); an address cannot."""
        name = re.sub(r":\d*$", "", host).strip("[]")
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.lower() in self._names
        return True

    def _entered(self, request: Request) -> bool:
        return _same(request.cookies.get(_cookie(request), ""), self.token)

    def enters(self, request: Request) -> bool:
        """Whether a browser comes with the token in the address."""
        given = request.query_params.get("token", "")
        return request.scope["path"] == "/" and _same(given, self.token)

    def welcome(self, request: Request, response: Response) -> None:
        """Give that browser a cookie, so that the address needs the token no more."""
        response.set_cookie(
            _cookie(request), self.token, httponly=True, samesite="strict", secure=self._secure
        )

    def own(self, form: str) -> bool:
        """Whether a form is the page's own."""
        return _same(form, self.form)


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode(), wanted.encode())


def _cookie(request: Request) -> str:
    # A browser has one set of cookies for all ports of a machine.
    return f"flyve_page_{request.scope['server'][1]}"


def _same_machine(request: Request) -> bool:
    client, server = request.scope["client"], request.scope["server"]
    return loopback(client[0]) or client[0] == server[0]
