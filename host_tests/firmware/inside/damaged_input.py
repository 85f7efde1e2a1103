# Called by the tests of damage: all that is read from files, from NVS and from
# messages, given damaged data. Each function returns [index, what went wrong] for the data that
# did what may not happen.

import gc
import json
import os
import sys

from flyve import log, registry
from flyve.jobs import bundle, config, deeplink, inbox, nvs, opening, policies, record_slots, tasks
from flyve.online import Online
from flyve.record import Record

log.sink = lambda line: None
SECRETS = ("user-token-0123456789", "invitation-token-0123456789")


def _each(data, check):
    wrong = []
    for i, one in enumerate(data):
        try:
            problem = check(one)
        except Exception as e:
            sys.print_exception(e)
            problem = repr(e)
        if problem:
            wrong.append([i, problem])
    return wrong


def deeplinks(data):
    def check(text):
        try:
            found = deeplink.parse(text)
        except deeplink.DeeplinkError as e:
            if any(secret in str(e) for secret in SECRETS):
                return "a secret is in the text"
            return "no text" if len(str(e)) < 5 else None
        if not all(isinstance(field, str) for field in found):
            return "a field that is no text"
        if found.url[:7] != "http://" and found.url[:8] != "https://":
            return "no URL"
        if not found.user_token or not found.invitation_token:
            return "no token"

    return _each(data, check)


def configurations(data):
    def check(text):
        with open("/fuzz.json", "wb") as f:
            f.write(text)
        settings, problems = config.load("/fuzz.json")
        if None in settings.values() or set(settings) - set(config.KEYS):
            return "other settings"
        for name, value in settings.items():
            if value is not None:
                config.check(name, value)
        if not all(isinstance(text, str) for text in problems):
            return "a problem that is no text"

    return _each(data, check)


def cramped_configuration(text):
    """How many problems the settings have, with as little heap as an ESP32 starts with."""
    with open("/fuzz.json", "wb") as f:
        f.write(text)
    chain = None
    gc.collect()
    room = bytearray(64 * 1024)
    try:
        while True:
            chain = (chain, bytearray(1024))
    except MemoryError:
        del room
    gc.collect()
    problems = config.load("/fuzz.json")[1]
    return len(problems)


def slot(**values):
    """The bytes of a slot with a record."""
    for key in ("rec.a", "rec.b"):
        nvs.erase(key)
    Record(*record_slots.load()[:3]).save(**values)
    return nvs.get("rec.a")


def records(data, good):
    """data: pairs of a damaged slot and whether the other one holds `good`, of sequence 1."""

    def check(pair):
        bad, other = pair
        nvs.put("rec.b", bad)
        if other:
            nvs.put("rec.a", good)
        else:
            nvs.erase("rec.a")
        try:
            *found, problems = record_slots.load()
        except record_slots.NewerRecord:
            return None
        rec = Record(*found)
        if other and problems and rec.get("state") != "enrolled":
            return "the good slot is not used"
        before = json.loads(json.dumps(rec.values))  # a sum that fits by chance: all is text
        rec.save(state="blank")
        again = Record(*record_slots.load()[:3])
        before["state"] = "blank"
        if again.values != before:
            return f"saved {before}, read {again.values}"

    return _each(data, check)


def _tree(path="/", found=None):
    found = {} if found is None else found
    for entry in os.ilistdir(path):
        full = path + entry[0]
        if entry[1] & 0x4000:
            _tree(full + "/", found)
        else:
            found[full] = entry[3] if len(entry) > 3 else 0
    return found


def _remove(path):
    for entry in os.ilistdir(path):
        full = path + "/" + entry[0]
        if entry[1] & 0x4000:
            _remove(full)
        else:
            os.remove(full)
    os.rmdir(path)


def bundles(data):
    """Checks each archive, and unpacks it when it is good."""
    buf = memoryview(bytearray(bundle.BUFFER))
    unpacked = []

    def check(archive):
        with open("/fuzz.tar", "wb") as f:
            f.write(archive)
        before = _tree()
        with open("/fuzz.tar", "rb") as f:
            try:
                for _ in bundle.check(f, buf):
                    pass
                unpacked.append(1)
                for _ in bundle.unpack(f, buf, "/target"):
                    pass
            except (registry.Failed, registry.Incompatible) as e:
                if len(str(e)) > 200:
                    return "a text of " + str(len(str(e)))
            except OSError as e:
                # A name that is a file and a folder, or one that littlefs refuses.
                if e.errno not in (17, 20, 21, 22, 36):
                    raise
        strange = [path for path in _tree() if path not in before and path[:8] != "/target/"]
        try:
            _remove("/target")
        except OSError as e:
            if e.errno != 2:
                raise
        if strange or before != _tree():
            return "files outside: " + str(strange)

    wrong = _each(data, check)
    return wrong, len(unpacked)


class _Link:
    topic = "76/agent/SN1"
    up = False

    def __init__(self):
        self.said = []

    def publish(self, topic, payload, **_):
        self.said.append((topic, payload))
        return 1

    def ask(self, topics, gone=()):
        pass


class _Online(Online):
    """An enrolled agent without a connection."""

    def __init__(self):
        self.agent = self
        self.link = _Link()
        self.rec = Record(*record_slots.load()[:3])
        self.settings = config.load("/nothing.json")[0]
        self.notes = {"inventory": 1}
        self.by_mqtt = True
        self.reports = None
        self.box = opening.begin(self)[0]

    def tell(self, *_):
        pass

    def refresh_apps(self, name=None):
        pass


_FINAL = (b"done", b"failed", b"incompatible", b"overriden", b"received", b"waiting")


def messages(data):
    """data: pairs of a topic and a payload, as they come from the broker; all goes the way from
    the inbox to the status."""
    online = _Online()
    for key in ("rec.a", "rec.b"):
        nvs.erase(key)
    online.rec.save(generation="C", topic="76/agent/SN1", fleet="76/fleet/1")

    def check(message):
        topic, payload = message
        box = online.box
        box["policies"].clear()
        box["commands"].clear()
        online.link.said.clear()
        try:
            topic = topic.decode()
        except UnicodeError:
            return None  # mqtt.py's business
        online.receive(topic, payload, True)
        inbox.sort(online)
        for one in box["policies"]:
            job = policies.begin(online, False, one)
            planned = None
            while True:
                try:
                    next(job)
                except StopIteration as end:
                    planned = end.value
                    break
            if planned:
                task, plan = planned
                place = plan[1]
                if plan[2] is None and (not place.startswith("/files/") or ".." in place):
                    return "outside the roots: " + place
                if plan[2] is not None and "/" in place:
                    return "no name of an application: " + place
                for _ in policies.finish(online, task, "failed"):
                    pass
            for _, text in online.link.said:
                if not any(status in text for status in _FINAL):
                    return "a strange status: " + repr(text)
        for task in tasks.tasks():
            if len(task) != 6:
                return "a strange task: " + repr(task)

    return _each(data, check)


def slot_of_an_agent():
    """The slot of an enrolled agent, sequence 1."""
    return slot(state="enrolled", topic="76/agent/SN1", port=8883, api_token="a" * 40)
