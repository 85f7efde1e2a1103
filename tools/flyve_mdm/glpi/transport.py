"""HTTP to GLPI: one call, and what its answer, or none, means."""

from __future__ import annotations

import ipaddress
import json as jsons
import re
import urllib.parse
from typing import Any

import requests
from requests.auth import AuthBase
from urllib3.exceptions import ReadTimeoutError
from urllib3.util.retry import Retry

from flyve_mdm.glpi.account import Account
from flyve_mdm.glpi.deadline import Adapter, Deadline
from flyve_mdm.glpi.errors import Failed, GlpiError, NoAnswer, Refused
from flyve_mdm.patience import stretched

READ = 30  # seconds: GLPI itself waits 10 s for a device
_CONNECT = 10
_WHOLE = 4  # times that: for which an answer may keep coming
_LARGEST = 64 << 20  # bytes of an answer: a page of agents has some hundred KB
# PHP may tell of a trifle in front of its JSON.
_NOTICE = re.compile(rb"\s*(<br />\s*<b>(Notice|Warning|Deprecated)</b>:.*?<br />\s*)+", re.DOTALL)


class _Tokens(AuthBase):
    """The session's headers; without an auth of its own, requests would take one from ~/.netrc."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self.headers)
        return request


class Transport:
    """The way to one GLPI; `tokens` are headers of every call. Use it as a context manager."""

    def __init__(self, account: Account) -> None:
        self.tokens: dict[str, str] = {}
        self._base = account.url.rstrip("/")
        self._where = urllib.parse.urlsplit(self._base)
        self._session = requests.Session()
        # No proxy between here and here.
        self._session.trust_env = not _here(self._where.hostname)
        # Given with each call: else requests lets a variable of the environment beat it.
        self._verify = account.ca or None
        # A gateway's trouble is over soon, mostly; what changes something is never sent twice.
        again = Retry(
            connect=0, read=False, other=0, status=2, status_forcelist=(502, 503, 504),
            allowed_methods=("GET",), backoff_factor=0.5, raise_on_status=False,
            respect_retry_after_header=False,
        )  # fmt: skip
        self._deadline = Deadline()
        adapter = Adapter(self._deadline, max_retries=again)
        self._session.mount(self._where.scheme + "://", adapter)

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self._deadline.close()

    def send(
        self,
        method: str,
        path: str,
        doing: str,
        timeout: float = READ,
        params: Any = None,
        json: Any = None,
        files: Any = None,
    ) -> tuple[Any, Any]:
        """The JSON and the headers of an answer; raises GlpiError. doing: what for."""
        asked = {"params": params, "json": json, "files": files}
        wait = stretched(timeout)
        try:
            with self._deadline.within(_WHOLE * wait), self._session.request(
                method, f"{self._base}/{path}", **asked, stream=True,
                headers={} if files else {"Content-Type": "application/json"},
                auth=_Tokens(self.tokens), allow_redirects=False, verify=self._verify,
                timeout=(stretched(_CONNECT), wait),
            ) as answer:  # fmt: skip
                body = self._body(answer)
        except requests.RequestException as error:
            raise self._told(error, doing) from None
        if self._deadline.passed:  # to an answer without a length that looks like its end
            raise self._late(doing)
        return self._judged(answer, body, doing), answer.headers

    def _body(self, answer: requests.Response) -> bytes:
        body = bytearray()
        for piece in answer.iter_content(65536):
            body += piece
            if len(body) > _LARGEST:
                raise GlpiError(
                    f"{self._where.netloc} sends more than {_LARGEST >> 20} MiB: that is no answer"
                )
        return bytes(body)

    def _late(self, doing: str) -> NoAnswer:
        return NoAnswer(f"{self._where.netloc} does not answer {doing} in time")

    def _told(self, error: requests.RequestException, doing: str) -> GlpiError:
        """The error of an exchange that did not come to its end."""
        wrong = requests.exceptions
        # In the middle of a body it is a ConnectionError that holds urllib3's own.
        kinds = {type(error), *map(type, error.args)}
        if self._deadline.passed or kinds & {wrong.ReadTimeout, ReadTimeoutError}:
            return self._late(doing)
        if isinstance(error, wrong.SSLError):
            return GlpiError(
                f"{self._where.netloc} cannot be trusted ({_reason(error)}): set FLYVE_CA to the "
                "file of the CA that signed its certificate (of `flyve backend`: its ca)"
            )
        if isinstance(error, wrong.ProxyError):
            return GlpiError(
                f"the proxy that {self._where.scheme.upper()}_PROXY names does not lead to "
                f"{self._where.netloc}: name that in NO_PROXY, or mend the proxy"
            )
        if isinstance(error, wrong.ConnectionError | wrong.Timeout):
            return GlpiError(
                f"no backend answers at {self._where.netloc}: is the url right, and the network "
                "there? (`flyve backend` starts a simulated one)"
            )
        return GlpiError(
            f"the answer of {self._where.netloc} to {doing} broke off: GLPI may have done it"
        )

    def _judged(self, answer: requests.Response, body: bytes, doing: str) -> Any:
        if answer.is_redirect:
            raise GlpiError(f"{self._base} leads to {answer.headers['Location']}: use that as url")
        if body.lstrip()[:1] == b"<":
            body = _NOTICE.sub(b"", body, count=1)
        if answer.ok and not body.strip():
            return None
        try:
            value = jsons.loads(body)
        except ValueError:
            raise self.stranger(answer.status_code) from None
        if answer.ok:
            return value
        if isinstance(value, list) and value and str(value[0]).startswith("ERROR"):
            message = str(value[1] or "") if len(value) > 1 else ""
            raise Refused(answer.status_code, str(value[0]), message, doing)
        raise self.stranger(answer.status_code)

    def stranger(self, status: int = 200) -> GlpiError:
        """The error of an answer that is not GLPI's."""
        if status >= 500:
            return Failed(f"{self._where.netloc} failed with HTTP {status}: see GLPI's PHP log")
        return GlpiError(
            f"{self._base} is not GLPI's REST API (HTTP {status}, no JSON): the url of a real one "
            "ends in apirest.php"
        )


def _here(name: str | None) -> bool:
    """Whether a name or an address is this machine's own."""
    try:
        return ipaddress.ip_address(name or "").is_loopback
    except ValueError:
        return name == "localhost"


def _reason(error: Exception) -> str:
    found = re.search(r"certificate verify failed: ([^(\"']+)", str(error))
    return found[1].strip() if found else "TLS failed"
