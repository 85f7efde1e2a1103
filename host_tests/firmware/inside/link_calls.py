# Called by test_link.py: flyve.link against a scripted broker.

import gc
import os
import time

import transport_calls as net
from passing import passed

from flyve import link as link_module
from flyve import log, outbox, transport
from flyve.jobs import mqtt_connect

link = None
messages = []


def start(port, generation="C", form="auto", keepalive=60, fleet=None):
    try:
        os.remove(outbox.PATH)
    except OSError:
        pass
    net.start()
    rec = {"topic": "76/agent/SN1", "mqttpasswd": "secret", "generation": generation}
    rec["broker"] = net.HOST
    rec["port"] = port
    rec["fleet"] = fleet
    rec["agent_id"] = "17"
    settings = {"online_payload": form, "reconnect_spread": 1, "keepalive": keepalive}
    for name in ("tls", "port", "broker"):
        settings[name] = None
    _make(rec, settings)


def _make(rec, settings):
    global link
    if link and link._client:
        link._client.close()
    messages.clear()
    link = link_module.Link(rec, settings, lambda *message: messages.append(list(message)))


def reboot(agent_id="17"):
    """A new Link, from what is on flash."""
    link._rec["agent_id"] = agent_id
    _make(link._rec, link._settings)


def answering():
    """From now on each message is answered at once."""
    link._on_message = lambda *message: link.say("76/agent/SN1/Status/Ping", b"!")


def forgetting():
    """From now on messages are not kept."""
    link._on_message = lambda *message: None


def moving():
    """Subscriptions change after the broker has gone."""
    link.ask(["76/fleet/2/#"], ["76/fleet/1/#"])
    mqtt_connect.refresh(link, link._rec)
    return state()


def connect():
    return link.connect()


def run(ms, want="time"):
    """Pumps for ms milliseconds, or until the link is up, down or has nothing to send."""
    begin = time.ticks_ms()
    while time.ticks_diff(time.ticks_ms(), begin) < ms:
        link.pump()
        if want == "up" and link.up or want == "down" and link.down:
            break
        if want == "sent" and not len(link.outbox):
            break
        link.wait(20)
    return state()


def settled(ms=2000):
    """online(), and run() until nothing is due: the birth has been repeated."""
    up = online(ms)
    later()
    link.pump()
    return up and run(ms, "sent")["queued"] == 0


def quiet(seconds, late=0, patience=2000):
    """So many seconds pass without waiting for them, until the link is down: when it has pinged,
    and how it stands after how many ms. late: ms that pass before what answers a ping is looked
    at; patience: ms for it of the host's time."""
    begin = log.uptime()
    pings = []
    pinged = None
    while log.uptime() - begin < seconds * 1000 and not link.down:
        log._uptime += 250
        link.pump()
        if link._pinged not in (None, pinged):
            pinged = link._pinged
            pings.append(pinged - begin)
            log._uptime += late
            link.wait(patience)
    return dict(state(), pings=pings, after=log.uptime() - begin)


def online(ms=2000):
    """connect(), and run() until it is up."""
    return connect() and run(ms, "up")["up"]


def state():
    return {
        "up": link.up,
        "down": link.down,
        "reason": str(link.reason),
        "age": log.uptime() - link.since,
        "due": link.retry.left(),
        "queued": len(link.outbox),
        "lines": [line.split(" ", 1)[1] for line in net.lines],
        "messages": list(messages),
    }


def publish(count, topic="76/agent/SN1/Status/Ping", durable=False):
    return [link.publish(topic, b"%d" % i, False, durable) for i in range(count)]


def delivered(what):
    return what not in link.outbox


def say(topic, payload):
    return link.say(topic, payload)


def later():
    """Five minutes pass."""
    link.since -= 300100
    link._refused_at -= 300100
    link.outbox._moved -= 300100


def breaking():
    """The connection breaks once something is asked of the broker."""

    def broken(*_):
        raise transport.NetError("closed", "gone")

    link._client.ask = broken


def pass_days(days):
    """So many days pass, in which the loop goes round as ever."""
    passed(days)


def pass_on(ms):
    """So many ms pass without waiting for them."""
    log._uptime += ms


def aged(ms):
    """What is queued was so ms milliseconds ago."""
    for message in link.outbox._queue:
        message[-1] -= ms


def close(ms=1000):
    begin = time.ticks_ms()
    link.close(ms)
    return time.ticks_diff(time.ticks_ms(), begin)


def presence(generation, form):
    return list(mqtt_connect.presence(generation, form))


def lose_and_return(times, ms=300):
    """Connections that the broker ends while they begin: what is queued after each."""
    found = []
    for _ in range(times):
        link.connect()
        run(ms, "down")
        found.append(len(link.outbox))
    return found


def hook_pumps():
    transport.hook = link.pump


def last_error():
    return log.last_error


def break_off(kind="network"):
    """The connection is lost, without a word."""
    link.drop(transport.NetError(kind, "gone"))


def delays(times, kind=None):
    """How long the link waits before each of some tries, all of them in vain; kind: of the
    errors with which it is dropped, None: connect() fails."""
    found = []
    for _ in range(times):
        if kind:
            break_off(kind)
        else:
            link.connect()
        found.append(link.retry.left())
    return found


def storm(count, durable):
    """Publishes numbers, each to a topic of its own, over whatever connection there is, until the
    broker has acknowledged all; how often it connected."""
    sent = 0
    while True:
        while sent < count:
            topic = "76/agent/SN1/Status/Task/%d" % sent
            if not link.publish(topic, b"%d" % sent, False, durable):
                break
            sent += 1
        net.lines.clear()
        if sent == count and not len(link.outbox):
            return link.connects
        if link.down:
            link.connect()  # whatever is due
        link.pump()
        link.wait(20)


def reconnects(count):
    """Comes online and leaves, so often, without and with a word; heap bytes in use after."""
    for i in range(count):
        while not link.up:
            if link.down:
                link.connect()
            link.pump()
            link.wait(20)
        link.publish("76/agent/SN1/Status/Task/1", b"x")
        if i % 2:
            break_off()
        else:
            link.close()
        net.lines.clear()
    gc.collect()
    return gc.mem_alloc()
