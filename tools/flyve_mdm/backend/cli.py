"""The command that runs the simulated backend."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
import time
from typing import Any

import click

from flyve_mdm import options
from flyve_mdm.backend import addresses
from flyve_mdm.backend.options import FAULT_KINDS, Fault
from flyve_mdm.text import printable

__all__ = ["backend"]


def _fault(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> list:
    faults = []
    for value in values:
        endpoint, _, rest = value.partition(":")
        kind, _, number = rest.partition("=")
        try:
            extra = {"seconds": options.finite(float(number))} if number else {}
            if not endpoint or extra.get("seconds", 0) < 0:
                raise ValueError("an endpoint, a fault and maybe seconds")
            if number and kind == "error":
                extra = {"status": int(number)}
                if not 400 <= extra["status"] <= 599:
                    raise ValueError("the status of an error is from 400 to 599")
            faults.append(Fault(endpoint, kind, **extra))
        except ValueError as error:
            raise click.BadParameter(f"{value!r}: {error}; e.g. initSession:delay=3") from None
    return faults


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    callback=options.parsed(options.host),
    help="Name or address that agents reach it by; it listens there, too.",
)
@click.option(
    "--bind",
    callback=options.parsed(options.host),
    help="Listen on this address instead; 0.0.0.0: on all. Other machines may see the page, too.",
)
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="HTTP; 0: any free one.")
@click.option("--mqtt-port", default=0, type=click.IntRange(0, 65535), help="MQTT; 0: any.")
@click.option("--ntp-port", default=0, type=click.IntRange(0, 65535), help="NTP; 0: any.")
@click.option("--tls", is_flag=True, help="HTTPS and MQTT over TLS, with a CA of its own.")
@click.option("--generation", type=click.Choice("ABC"), default="C", show_default=True)
@click.option("--documented", is_flag=True, help="The samples of Flyve MDM's documentation.")
@click.option("--develop", is_flag=True, help="Generation C as of 2020.")
@click.option("--debug", is_flag=True, help="Tell why an enrollment is refused.")
@click.option(
    "--range",
    type=click.Choice(["quirky", "strict"]),
    default="quirky",
    show_default=True,
    help="Byte ranges: as the real code does, or RFC 9110.",
)
@click.option(
    "--file-size/--no-file-size",
    default=None,
    help="Whether files tell their size before their bytes; by default all but those of A.",
)
@click.option(
    "--deeplink",
    type=click.Choice(["data", "register", "path", "json"]),
    default="data",
    show_default=True,
    help="Form of the deeplinks.",
)
@click.option(
    "--unwrapped",
    "wrapped",
    flag_value=False,
    default=True,
    help='getFullSession without its "session".',
)
@click.option(
    "--full-session-size",
    default=0,
    type=click.IntRange(0, 100_000_000),
    metavar="BYTES",
    help="Pad getFullSession.",
)
@click.option("--full-session-seed", type=int, help="Shuffle the keys of getFullSession.")
@click.option("--guest-key", type=click.Choice(["given", "empty", "absent"]), default="given")
@click.option(
    "--default-profile",
    type=click.Choice(["9", "1", "4"]),
    default="9",
    help="Profile of a new session: 9 guest, 1 self-service, 4 super-admin.",
)
@click.option(
    "--profile-change", type=click.Choice(["normal", "silent", "400", "404"]), default="normal"
)
@click.option("--refuse-post", default="", metavar="REASON", help="Refuse every enrollment.")
@click.option("--app-token", default="", envvar="FLYVE_APP_TOKEN", help="Require an App-Token.")
@click.option(
    "--admin-token",
    default="",
    envvar="FLYVE_USER_TOKEN",
    show_envvar=True,
    help="The administrator's user token; without it one is made, and printed.",
)
@click.option(
    "--admin-password",
    default="",
    envvar="FLYVE_PASSWORD",
    show_envvar=True,
    help="Let the administrator log in as glpi with it, too.",
)
@click.option("--header-only", is_flag=True, help="Do not see tokens in the query.")
@click.option("--kill-session-fails", is_flag=True)
@click.option("--sticky", is_flag=True, help="Two nodes; a balancer goes by a cookie.")
@click.option("--php-notice", is_flag=True, help="PHP tells of a trifle before each JSON.")
@click.option(
    "--broker", callback=options.parsed(options.host), help="Tell agents this broker name."
)
@click.option("--broker-kind", type=click.Choice(["auto", "mosquitto", "amqtt"]), default="auto")
@click.option(
    "--certificate",
    default="good",
    type=click.Choice(["good", "expired", "not-yet", "other-host", "self-signed"]),
)
@click.option("--ntp-silent", is_flag=True)
@click.option(
    "--ntp-answer", default="time", type=click.Choice(["time", "zero", "unsynchronised"])
)
@click.option(
    "--ntp-offset",
    default=0.0,
    metavar="SECONDS",
    callback=options.parsed(options.finite),
    help="A wrong clock.",
)
@click.option(
    "--ntp-leap",
    default=0.0,
    metavar="SECONDS",
    callback=options.parsed(options.finite),
    help="A wrong first answer.",
)
@click.option(
    "--ntp-second-offset",
    default=0.0,
    metavar="SECONDS",
    callback=options.parsed(options.finite),
    help="A second server's.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=_fault,
    metavar="ENDPOINT:KIND[=S]",
    help="A fault of the HTTP side: "
    + ", ".join(FAULT_KINDS)
    + "; S: seconds, the status of an error.",
)
def backend(
    host: str,
    bind: str | None,
    port: int,
    mqtt_port: int,
    ntp_port: int,
    tls: bool,
    generation: str,
    default_profile: str,
    **switches: Any,
) -> None:
    """Run a simulated Flyve MDM backend with its broker until Ctrl-C.

    Prints one line of JSON when ready, whose `page` is for a browser, then what happens, a line
    each, on stderr.
    """
    from flyve_mdm.backend.server import Backend

    try:
        ports = {"--port": port, "--mqtt-port": mqtt_port, "--ntp-port": ntp_port}
        addresses.check_listening(bind or host, "--bind" if bind else "--host", ports)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # By nohup it outlives its terminal.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: done.set())
    running = Backend(
        generation,
        tls,
        host,
        port,
        mqtt_port,
        ntp_port=ntp_port,
        bind=bind,
        default_profile=int(default_profile),
        **switches,
    )
    try:
        running.start()
    except (OSError, RuntimeError) as error:
        raise click.ClickException(
            f"cannot start: {error}; choose other ports, a --host of this machine, or --bind"
        ) from None
    try:
        running.events.subscribe(_print_event)
        ready = {
            "url": running.url,
            "admin_url": running.admin_url,
            "page": running.page,
            # One that was given is known, and may be meant for another GLPI, too.
            "admin_token": None if running.options.admin_token else running.admin_token,
            "mqtt": {"host": running.name, "port": running.broker.port, "tls": tls},
            "ca": str(running.ca_pem) if running.ca_pem else None,
            "ca_der": str(running.ca_der) if running.ca_der else None,
            "ntp": running.ntp,
            "second_ntp": running.second_ntp,
        }
        click.echo(json.dumps(ready))
        sys.stdout.flush()
        done.wait()
    finally:
        running.stop()


def _print_event(event: Any) -> None:
    clock = time.strftime("%H:%M:%S", time.localtime(event.time))
    detail = "".join(f" {key}={value}" for key, value in event.detail.items())
    # What a device sent must not steer the terminal.
    line = printable(f"{event.kind}{detail}")
    # Should nobody read stderr any more, the backend goes on.
    with contextlib.suppress(OSError):
        click.echo(f"{clock}.{int(event.time % 1 * 1000):03} {line}", err=True)
