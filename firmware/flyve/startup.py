"""What comes before the loop: settings, record, and whatever a power cut has interrupted."""

import os

from flyve import BUILD, VERSION, chip, log, resident, transport
from flyve.record import Record, RecordError


def _exists(path):
    try:
        return bool(os.stat(path))
    except OSError:
        return False


def prepare():
    """What the Agent is made of: settings and record, whether an update is on trial, how many of
    the last starts have crashed, and the button; None when there is no record to work with."""
    settings, problems = resident.load("config").load()
    log.level = ("debug", "info", "warn", "error").index(settings["log_level"])
    log.info("agent", "flyve %s starts after %s", VERSION, chip.reset_cause())
    for problem in problems:
        log.warn("config", "%s", problem)
    resident.load("strays").look()
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
        chip.led(settings["led"], bool(rec.get("lock")))
    log.secret("app", settings["app_token"])
    log.secret("api", rec.get("api_token"))
    invitation = resident.load("invitation")
    invitation.settle(rec)
    if rec.get("state") == "enrolled" and invitation.waiting():
        log.info("agent", "another deeplink: leaving first")
        rec.save(state="leaving")
    update = resident.load("update")
    crashes = update.crashes()
    if update.safe_mode():
        log.error("agent", "safe mode after %d crashes: no applications", crashes)
    return settings, rec, update.on_trial(), crashes, chip.button(settings["button"])
