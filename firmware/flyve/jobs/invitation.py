"""The invitation on the flash: a deeplink in a file, from provisioning until it has served."""

import binascii
import hashlib
import json
import os

from micropython import const

from flyve import board, log, memory
from flyve.text import cut
from flyve.text import read as read_file

PATH = const("/deeplink")
_HELPDESK = const(324)  # bytes of it in the record
_LOOK_MS = const(5000)  # how often to look for a deeplink
_AGAIN_MS = const(300000)  # the old enrollment is in force so long before another is tried again


def job(agent):
    """The job for the deeplink on the flash."""
    return replace(agent) if agent.rec.get("state") == "enrolled" else run(agent)


def run(agent):
    """A job: enrolls by the deeplink on the flash, or waits for one."""
    rec = agent.rec
    if not waiting():
        agent.invited.after(_LOOK_MS)
        if not agent.told:
            agent.told = True
            if rec.get("state") in ["invited", "created"]:
                log.error("enrollment", "the deeplink is gone: provision it again")
            log.info("agent", "waiting for a deeplink")
        return
    agent.told = False
    try:
        # Before there is the rest of the enrollment: it takes as much memory as a long deeplink.
        invited, mark = read()
        from flyve.jobs import enrollment

        yield from enrollment.run(rec, agent.settings, invited, mark, agent.invited)
        discard()
        log.info("enrollment", "enrolled id=%s", rec.get("agent_id"))
    except Exception as e:
        if not hasattr(e, "final"):
            raise
        refuse(rec, e.final)
    agent.invited.after(0)


class _Aside:
    """Takes the place of the record while the old enrollment is in force."""

    def __init__(self, rec):
        self.values = {"posting": rec.get("posting")}
        self._rec = rec

    def get(self, key, default=None):
        return self.values.get(key, default)

    def save(self, **changes):
        self.values.update(changes)
        if changes.get("posting"):
            self._rec.save(posting=True)  # a cut may come before the answer


def replace(agent):
    """A job: another deeplink has come to an enrolled agent, which is not online meanwhile: there
    is the memory for one enrollment. Only when the other one has created a new agent is the old
    one given up; when it is refused, the old one goes on."""
    rec = agent.rec
    aside = _Aside(rec)
    try:
        invited, mark = read()
        log.secret("user", invited.user_token)
        log.secret("invitation", invited.invitation_token)
        from flyve.jobs import enrollment

        same = invited.url == rec.get("url")
        from flyve.jobs import rest

        api = rest.Rest(invited.url, agent.settings)
        yield
        try:
            user = enrollment.opened(api, invited)
            yield
            enrollment.create(api, aside, agent.settings, invited, user)
            state = "enrolled" if same else "leaving"
            rec.save(renewed=[mark, aside.get("agent_id")], state=state, posting=None)
        finally:
            api.close()
            enrollment = api = None
    except Exception as e:
        if isinstance(e, MemoryError) or getattr(e, "kind", 0) == "memory":
            raise
        if hasattr(e, "final"):
            log.error("enrollment", "refused %s", e.final)
            log.error("agent", "the other deeplink is discarded, the old enrollment goes on")
            discard()
            rec.save(posting=None)
        else:
            agent.report("enrollment", e)
            log.info("enrollment", "next try in %d ms", _AGAIN_MS)
            agent.invited.after(_AGAIN_MS)
        return
    finally:
        log.secret("user", None)
        log.secret("invitation", None)
    log.info("enrollment", "created id=%s", aside.get("agent_id"))
    if same:
        from flyve.jobs import leaving

        leaving.end(agent)
        board.reset(True)
    log.info("agent", "another deeplink: leaving first")


def waiting():
    """True when a deeplink lies on the flash."""
    try:
        return os.stat(PATH)[6] > 0
    except OSError:
        return False


def discard():
    """Removes the deeplink from the flash."""
    try:
        os.remove(PATH)
    except OSError:
        pass


def read():
    """(Invitation, mark) of the deeplink on flash; the mark tells deeplinks apart and is no
    secret. The helpdesk's texts, which may have a KB each, come in short as its name. Raises
    DeeplinkError, with `final`, when the deeplink cannot be used."""
    from flyve.jobs import deeplink

    limit = deeplink.LIMIT
    mark = binascii.hexlify(hashlib.sha256(read_file(PATH, limit)).digest()[:6]).decode()
    try:
        # Handed on at once: a long one is to be in memory as few times as possible.
        found = deeplink.parse(read_file(PATH, limit))
        helpdesk = cut(" ".join([cut(part, 320) for part in found[3:]]).strip(), 320)
        while len(json.dumps(helpdesk).encode()) > _HELPDESK:
            helpdesk = helpdesk[: len(helpdesk) - 1 - len(helpdesk) // 16]
        found = found[:3] + (helpdesk, "", "", found.email[:128])
        return deeplink.Invitation(*found), mark
    except deeplink.DeeplinkError as e:
        e.final = "DEEPLINK " + str(e)
        raise
    finally:
        deeplink = None
        memory.drop("deeplink", "mailed")


def settle(rec):
    """Finishes what a power cut may have interrupted once the record had moved on: a deeplink
    that served its purpose is removed."""
    link = rec.get("link")
    if rec.get("state") not in ["enrolled", "refused"] or link is None:
        return
    if waiting():
        try:
            used = read()[1] == link
        except ValueError:
            used = True
        if used:
            discard()
    if rec.get("state") == "refused":
        # From here on the same deeplink may be provisioned again, e.g. with another e-mail.
        rec.save(link=None)


def refuse(rec, why):
    """Makes the refusal durable: the reason is kept, the deeplink is not."""
    log.error("enrollment", "refused %s", why)
    if rec.get("helpdesk"):
        log.error("enrollment", "helpdesk: %s", rec.get("helpdesk"))
    error = cut(why, 200)
    try:
        mark = read()[1]
    except (ValueError, OSError):
        mark = "-"
    rec.save(scrub=True, state="refused", link=mark, posting=None, agent_id=None, error=error)
    discard()
    rec.save(link=None)
