"""What can go wrong between here and GLPI: each error has a name and a next step."""

from __future__ import annotations

_HINTS = {
    "ERROR_GLPI_LOGIN": "check FLYVE_LOGIN and FLYVE_PASSWORD",
    "ERROR_GLPI_LOGIN_USER_TOKEN": "check FLYVE_USER_TOKEN: it is the API token of your "
    "preferences in GLPI, or the admin_token of a `flyve backend` that still runs",
    "ERROR_LOGIN_WITH_CREDENTIALS_DISABLED": "use FLYVE_USER_TOKEN, or enable login with "
    "credentials in GLPI's setup of its API",
    "ERROR_SESSION_TOKEN_MISSING": "is FLYVE_URL the whole url of its REST API, which ends in "
    "apirest.php?",
    "ERROR_APP_TOKEN_PARAMETERS_MISSING": "set FLYVE_APP_TOKEN to that of GLPI's API client",
    "ERROR_WRONG_APP_TOKEN_PARAMETER": "check FLYVE_APP_TOKEN",
    "ERROR_NOT_ALLOWED_IP": "allow this machine's address in GLPI's API client",
    "ERROR_RIGHT_MISSING": "give your profile this right in GLPI, or choose another by "
    "FLYVE_PROFILE",
    "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM": "is the plugin Flyve MDM active there?",
    "ERROR_UPLOAD_FILE_TOO_BIG_POST_MAX_SIZE": "raise post_max_size and upload_max_filesize of "
    "GLPI's PHP",
}
_DENIED = "don't have permission"


class GlpiError(OSError):
    """Something failed; its text is one line."""


class NoAnswer(GlpiError):
    """GLPI did not answer in time; it may have done what it was told all the same."""


class Failed(GlpiError):
    """GLPI's PHP, or what stands before it, broke off with HTTP 500 or more."""


class Refused(GlpiError):
    """GLPI's own error: a status, and its pair of a code and a message in the user's language."""

    def __init__(self, status: int, code: str, message: str, doing: str) -> None:
        self.status, self.code = status, code
        self.message = message.partition("; view documentation")[0]
        super().__init__(self._text(doing))

    @property
    def denied(self) -> bool:
        """Whether a right is missing; a text in another language than English hides that."""
        return self.code == "ERROR_RIGHT_MISSING" or _DENIED in self.message

    def _text(self, doing: str) -> str:
        told = self.message or "without telling why"
        code = "" if self.code == "ERROR" else f" ({self.code})"
        hint = _HINTS["ERROR_RIGHT_MISSING"] if self.denied else _HINTS.get(self.code, "")
        if "API disabled" in self.message:
            hint = "enable the REST API in GLPI's general setup"
        return f"GLPI refuses {doing}: {told}{code}" + (f": {hint}" if hint else "")
