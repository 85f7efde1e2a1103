"""What the simulated backend does differently from a well configured one: its switches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

FAULT_KINDS = (
    "delay",  # wait `seconds`, then handle the request
    "delay-after",  # handle it, wait `seconds`, then answer
    "drop-before",  # reset the connection, the request is not handled
    "drop-after",  # handle the request, then reset the connection
    "trickle",  # body: `step` bytes every `seconds`
    "trickle-all",  # the same from the status line on
    "stall",  # body: `at` bytes, then nothing for `seconds`, then the rest
    "truncate",  # body: `at` bytes (default: half), then the connection closes
    "redirect",  # 302 to `location`, the request is not handled
    "html",  # 200 and an HTML page, the request is not handled
    "error",  # `status` and a page of that `form`, the request is not handled
)
FORMS = ("html", "json", "empty", "pair")  # of what a gateway sends; "pair": a stranger's


@dataclass
class Fault:
    """One fault of the HTTP side.

    `endpoint` is a name ("initSession"), a verb and a name ("POST PluginFlyvemdmAgent") or "*".
    `times` is how many requests it hits; None means all.
    """

    endpoint: str
    kind: str
    seconds: float = 1.0
    at: int | None = None
    step: int = 1
    times: int | None = None
    location: str = "http://127.0.0.1:9/elsewhere"
    status: int = 500
    form: str = "html"
    retry_after: str = ""  # seconds or a date

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(FAULT_KINDS)}")
        if self.form not in FORMS:
            raise ValueError(f"unknown form {self.form!r}; known: {', '.join(FORMS)}")

    def matches(self, method: str, endpoint: str) -> bool:
        """Tell whether this fault hits a request."""
        return self.times != 0 and self.endpoint in ("*", endpoint, f"{method} {endpoint}")


@dataclass
class Options:
    """Generation and quirks; each may be changed at any time (those marked "start" before it)."""

    generation: str = "C"  # A, B or C, see docs/protocol.md
    documented: bool = False  # the samples of Flyve MDM's "Use Cases", to the letter
    develop: bool = False  # generation C as of 2020 instead of v2.0.0
    debug: bool = False  # "debug enrolment": the real reason instead of "Enrollment failed"
    php: int = 7  # generations A and B compare loosely; PHP 8 differs
    deeplink: str = "data"  # data, register, path or json

    # Sessions
    wrapped: bool = True  # getFullSession under "session"
    full_session_size: int = 0  # pad it with decoys to this many bytes
    full_session_seed: int | None = None  # shuffle its keys
    guest_key: str = "given"  # given, empty or absent
    default_profile: int = 9  # under which each new session starts; 9 is the guest profile
    has_guest_profile: bool = True
    profile_change: str = "normal"  # normal, silent (GLPI 9.1: 200, nothing done), 400 or 404
    kill_session_fails: bool = False
    session_idle: float = 1440.0  # PHP's default
    app_token: str = ""  # required when set
    admin_token: str = field(default="", repr=False)  # start: of the account glpi; "": made
    # start: of the same; "": "login with credentials" is off, as is GLPI's default
    admin_password: str = field(default="", repr=False)
    api: bool = True  # "enable REST API"
    plugin: bool = True  # is active
    rights: dict[str, int] = field(default_factory=dict)  # of Super-Admin: other bits than usual
    header_only: bool = False  # tokens in the query are not seen
    sticky: bool = False  # two nodes with sessions of their own; a balancer goes by a cookie
    php_notice: bool = False  # PHP tells of a trifle before each JSON

    # Enrollment
    refuse_post: str = ""  # refuse every enrollment for this reason
    max_devices: int | None = None
    invitation_life: float = 7 * 86400.0
    fcm: bool = False
    hides_tokens: bool = False  # GLPI 9.3.5, and from 9.4.4 on
    notifications: bool = True  # GLPI sends mails
    clean_retained: bool = False  # also clear what the real backend forgets on the broker

    # What agents are told about the broker; None is the truth
    broker: str | None = None
    broker_port: int | None = None
    broker_tls: bool | None = None

    # Files
    range: str = "quirky"  # quirky is the real code, strict is RFC 9110
    file_size: bool | None = None  # whether JSON forms have it; None: all but A's (early B: False)

    post_max_size: int = 16 << 20  # PHP's, of one request

    # Broker and listener
    answer_wait: float = 10.0  # how long GLPI waits for a device's answer
    broker_kind: str = "auto"  # start: auto, mosquitto or amqtt
    broker_persistence: bool = False  # start: retained messages survive restart()
    listener_dies: bool = False  # the daemon dies of a fractional datetime, as the real one does

    # TLS and time
    certificate: str = "good"  # start: good, expired, not-yet, other-host or self-signed
    ntp_silent: bool = False
    ntp_answer: str = "time"  # time, zero (as its time) or unsynchronised
    ntp_offset: float = 0.0  # seconds added to the true time
    ntp_leap: float = 0.0  # instead, in one answer: the next
    ntp_second_offset: float = 0.0  # of the second server

    faults: list[Fault] = field(default_factory=list)

    _CHOICES: ClassVar = {
        "generation": ("A", "B", "C"),
        "deeplink": ("data", "register", "path", "json"),
        "guest_key": ("given", "empty", "absent"),
        "profile_change": ("normal", "silent", "400", "404"),
        "range": ("quirky", "strict"),
        "ntp_answer": ("time", "zero", "unsynchronised"),
        "broker_kind": ("auto", "mosquitto", "amqtt"),
        "certificate": ("good", "expired", "not-yet", "other-host", "self-signed"),
    }

    def __setattr__(self, name: str, value: object) -> None:
        choices = self._CHOICES.get(name)
        if choices and value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        super().__setattr__(name, value)

    @property
    def rules(self) -> str:
        """The generation whose rules hold: its documentation describes A."""
        return "A" if self.documented else self.generation

    @property
    def tells_size(self) -> bool:
        """Whether a file's JSON form has `filesize`: since February 2018, in generation B."""
        return self.rules != "A" if self.file_size is None else self.file_size
