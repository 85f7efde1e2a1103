"""A pilot's browser as HTTP has it: no script, one cookie, forms as the page gave them."""

from __future__ import annotations

import html
import re
import ssl

import httpx


class Pilot:
    """In the page of a backend, unless `inside` is False; `client` is httpx's."""

    def __init__(self, backend, inside=True):
        self.backend = backend
        self.client = httpx.Client(
            base_url=backend.origin, trust_env=False, timeout=30, follow_redirects=True,
            verify=ssl.create_default_context(cafile=backend.ca_pem),
        )  # fmt: skip
        if inside:
            self.client.get(backend.page)

    def get(self, path="/", **how):
        """A page."""
        return self.client.get(path, **how)

    def form(self, path="/"):
        """The hidden field that makes a form the page's own."""
        return re.search(r'name="form" value="([^"]+)"', self.get(path).text)[1]

    def order(self, order, agent=17, files=None, **fields):
        """Sends a form of a device, and goes where it leads."""
        fields = {"form": self.form(), **fields}
        return self.client.post(f"/page/device/{agent}/{order}", data=fields, files=files)

    def invite(self, email):
        """Sends the form of the invitation, and goes where it leads."""
        return self.client.post("/page/invite", data={"form": self.form(), "email": email})


def words(answer):
    """What a page says, without its markup."""
    body = re.sub(r"<(title|svg)\b.*?</\1>", "", answer.text, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())
