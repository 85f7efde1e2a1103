"""The end of an enrollment: unenrolled by the backend, deleted there without a word, or wiped; and
what goes from the flash then."""

import json
import os

from micropython import const

from flyve import board, log, resident
from flyve.backoff import Retry
from flyve.record import RecordError

WIPING = const("/wiping")  # a wipe was begun: nothing else happens before it is done
_KEPT = const("/keep.json")  # what of NVS outlives a wipe
# What a wipe leaves, but for the two above.
_FIRMWARE = const(("boot.py", "main.py", "flyve", "flyve.a", "flyve.b", "lib"))

_WAIT_MS = const(200)
_REPLACED_S = const(600)  # somebody has provisioned another deeplink, and waits beside the board
_HEARD_MS = const(500)  # what the broker has, the backend hears a little later
_REFUSALS = const(3)
_KEEP_S = const(60)  # how much of a time spent a restart may lose
_ACK = const(b'{"unenroll":"unenrolled"}')


def _gone(agent):
    """True when the backend has deleted the agent. Raises NetError and RestError."""
    rest = resident.load("rest")
    try:
        rest.resume(agent).request("GET", "PluginFlyvemdmAgent/" + agent.rec.get("agent_id"))
        return False
    except rest.RestError as e:
        if rest.is_gone(e):
            return True
        raise


def _spent(agent, key):
    """Seconds of being on since the first call of this name, restarts included: the clock may be
    unset, or leap, meanwhile. key: the record's, under which what was spent before is kept."""
    now = log.uptime() // 1000
    if key not in agent.spent:
        agent.spent[key] = [now - agent.rec.get(key, 0), now]
    began, kept = agent.spent[key]
    if now - kept >= _KEEP_S:
        agent.spent[key][1] = now
        try:
            agent.rec.save(**{key: now - began})
        except (OSError, RecordError) as e:
            log.error("record", "%s", e)
    return now - began


def run(agent):
    """A job: acknowledges the unenrollment until the backend has deleted the agent, or for
    `unenroll_wait` seconds; then erases the enrollment and restarts the board."""
    link = agent.link
    wait = agent.settings["unenroll_wait"]
    if resident.load("invitation").waiting():
        wait = min(wait, _REPLACED_S)
    retry = Retry()
    while True:
        if not link.up and getattr(link.reason, "code", 0) not in [4, 5]:
            yield _WAIT_MS
        elif retry.left() > 0:
            yield min(_WAIT_MS, retry.left())
        else:
            # A broker that refuses us may have been told already.
            topic = link.topic + "/Status/Unenroll"
            if link.up and topic not in link.outbox:
                link.publish(topic, _ACK, durable=True)
            while link.up and topic in link.outbox:
                yield _WAIT_MS
            heard = Retry()
            heard.after(_HEARD_MS)
            while heard.left() > 0:
                yield heard.left()
            failure = None
            try:
                if _gone(agent):
                    break
                log.info("agent", "the backend has not deleted us yet")
            except Exception as e:
                if isinstance(e, MemoryError):
                    raise
                log.warn("agent", "unenrolling: %s", e)
                failure = e
            retry.failed(failure)
        if _spent(agent, "left_s") > wait:
            log.warn("agent", "the backend did not confirm the unenrollment")
            break
    end(agent)
    log.info("agent", "unenrolled")
    board.reset(True)


def doubt(agent):
    """A job: the broker refuses us; does the backend, too? After `orphan_after` seconds of that
    the agent is orphaned: its secrets go, and it waits for another deeplink."""
    rec = agent.rec
    rest = resident.load("rest")
    yield
    try:
        rest.resume(agent).open(rec.get("api_token"))
        agent.refusals = 0
        agent.spent.pop("doubt_s", None)
        rec.save(doubt_s=None)
        return
    except rest.RestError as e:
        if not rest.is_gone(e):
            raise
    agent.refusals += 1
    if agent.refusals == 1:
        log.warn("agent", "broker and backend refuse us: was the agent deleted?")
    spent = _spent(agent, "doubt_s")
    if agent.refusals >= _REFUSALS and spent >= agent.settings["orphan_after"]:
        end(agent, "orphaned")
        log.error("agent", "orphaned")
        board.reset(True)


def end(agent, state=None):
    """The enrollment is over: offline, erased, and the state is what the record holds."""
    if agent.link and agent.link.up:
        agent.link.close()
    enrollment(agent.rec, agent.settings, state)


def _delete(path):
    board.feed()
    try:
        if os.stat(path)[0] & 0x4000:
            for name in os.listdir(path):
                _delete(path + "/" + name)
            os.rmdir(path)
        else:
            os.remove(path)
    except OSError as e:
        if e.errno != 2:  # ENOENT
            raise


def enrollment(rec, settings, state=None):
    """Erases what enrollment brought: credentials, tasks, and files if the settings say so. The
    record then holds nothing but the state. A cut is made good at the next start."""
    rec.save(state="erasing", next=state)
    if settings["erase_on_unenroll"]:
        for root in (settings["roots"] or resident.load("files").ROOTS).values():
            _delete(root)
        _delete("/apps")
    for name in ("tasks.json", "tasks.new", "failures.json", "outbox.json", "part", "part.json",
                 "apps.new", "deploy.part"):  # fmt: skip
        _delete("/" + name)
    rec.save(scrub=True, **dict(dict.fromkeys(rec.values), state=state))


def wipe(settings):
    """Erases all but the firmware, and what was erased before; restarts the board."""
    log.warn("agent", "wiping: all but the firmware goes")
    try:
        begun = os.stat(_KEPT)[6]
    except OSError:
        begun = 0
    if not begun:  # else a cut came after this, and the settings may be gone
        kept = {"update": board.nvs_get_int("update")}
        if settings["keep_wifi"]:
            kept["wifi"] = (board.nvs_get("wifi") or b"[]").decode()
        with open(_KEPT, "w") as f:
            json.dump(kept, f)
    for name in os.listdir("/"):
        if name not in _FIRMWARE and "/" + name not in [WIPING, _KEPT]:
            _delete("/" + name)
    # littlefs is to write over what it has freed: small files lie in the blocks of their folder,
    # which are rewritten when they are full of changes; all other free blocks take one file.
    for _ in range(256):
        board.feed()
        with open("/fill", "w") as f:
            f.write("0" * 48)
        os.remove("/fill")
    zeros = bytes(4096)
    try:
        with open("/fill", "wb") as f:
            while True:
                board.feed()
                f.write(zeros)
    except OSError:
        pass  # the flash is full
    os.remove("/fill")
    resident.load("chip").erase_nvs()
    os.remove(WIPING)
    board.reset()


def settle():
    """Brings back what a wipe has kept."""
    try:
        with open(_KEPT) as f:
            kept = json.load(f)
    except OSError:
        return
    except ValueError:
        kept = {}
    if kept.get("wifi"):
        board.nvs_set("wifi", kept["wifi"].encode())
    if kept.get("update"):
        board.nvs_set_int("update", kept["update"])
    os.remove(_KEPT)
