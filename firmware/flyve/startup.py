"""What comes before the loop: settings, record, and whatever a power cut has interrupted."""

import os

from flyve import BUILD, VERSION, board, log, resident, transport
from flyve.record import Record, RecordError


def _exists(path):
    try:
        return bool(os.stat(path))
    except OSError:
        return False


def prepare():
    """(settings, record) for the agent, or None when there is no record to work with."""
    settings, problems = resident.load("config").load()
    log.level = ("debug", "info", "warn", "error").index(settings["log_level"])
    log.info("agent", "flyve %s starts after %s", VERSION, board.reset_cause())
    for problem in problems:
        log.warn("config", "%s", problem)
    leaving = resident.load("leaving")
    if _exists(leaving.WIPING):
        leaving.wipe(settings)
    leaving.settle()
    try:
        rec = Record()
    except RecordError as e:
        log.error("record", "%s", e)
        return None
    for problem in rec.problems:
        log.warn("record", "%s", problem)
    if rec.problems and not rec.values:
        log.error("record", "both slots are unreadable: run `flyve reset` and enroll again")
    if rec.get("state") == "erasing":
        leaving.enrollment(rec, settings, rec.get("next"))
    transport.ca = settings["ca"]
    for path in ("/ca.der", "/ca.pem"):
        if not transport.ca and _exists(path):
            transport.ca = path
    transport.verify = settings["tls_verify"]
    transport.floor = max(BUILD, rec.get("time", 0))
    if settings["led"] is not None:
        board.led(settings["led"], bool(rec.get("lock")))
    log.secret("app", settings["app_token"])
    log.secret("api", rec.get("api_token"))
    invitation = resident.load("invitation")
    invitation.settle(rec)
    if rec.get("state") == "enrolled" and invitation.waiting():
        log.info("agent", "another deeplink: leaving first")
        rec.save(state="leaving")
    return settings, rec
