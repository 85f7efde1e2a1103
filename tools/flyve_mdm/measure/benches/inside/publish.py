# QoS 1 publishes against a broker, three ways. Each function returns messages per second.

import socket
import sys
import time

TOPIC = "bench/agent/X/Status/Task/1"
PAYLOAD = b'{"status": "done"}'


def raw(host, port, count):
    """One PUBLISH, made beforehand, in one write; then the four bytes of its PUBACK."""
    s = socket.socket()
    s.connect(socket.getaddrinfo(host, port)[0][-1])
    s.write(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05bench")
    answer = s.read(4)
    topic = TOPIC.encode()
    size = 2 + len(topic) + 2 + len(PAYLOAD)
    packet = bytes((0x32, size, 0, len(topic))) + topic + b"\x00\x01" + PAYLOAD
    begin = time.ticks_us()
    for _ in range(count):
        s.write(packet)
        answer = s.read(4)
    took = time.ticks_diff(time.ticks_us(), begin)
    s.close()
    if answer != b"\x40\x02\x00\x01":
        raise OSError("no PUBACK")
    return count * 1000000 / took


def bare(host, port, count):
    """publish(qos=1) of the library, on its own sockets."""
    for name in ("umqtt.simple", "umqtt", "usocket"):
        sys.modules.pop(name, None)  # those of the firmware
    from umqtt.simple import MQTTClient

    client = MQTTClient("bench", host, port, keepalive=60)
    client.connect()
    topic = TOPIC.encode()
    begin = time.ticks_us()
    for _ in range(count):
        client.publish(topic, PAYLOAD, qos=1)
    took = time.ticks_diff(time.ticks_us(), begin)
    client.disconnect()
    return count * 1000000 / took


def durable(host, port, count):
    """As link(), each message on flash before the next one is taken."""
    return link(host, port, count, True)


def link(host, port, count, durable=False):
    """The firmware's way, as the agent's loop drives it: outbox, pump, wait."""
    from flyve import log
    from flyve.link import Link

    log.level = 3
    rec = {"topic": "bench/agent/X", "generation": "C", "mqttpasswd": "bench"}
    rec.update({"broker": host, "port": port})
    settings = {"online_payload": "auto", "reconnect_spread": 0, "keepalive": 60}
    settings.update({"tls": False, "port": None, "broker": None})
    it = Link(rec, settings, lambda *_: None)
    it.connect()
    deadline = time.ticks_add(time.ticks_ms(), 5000)
    while not it.up:
        it.pump()
        it.wait(50)
        if time.ticks_diff(deadline, time.ticks_ms()) <= 0:
            raise OSError("never online")
    sent = last = 0
    begin = time.ticks_us()
    while sent < count:
        while sent < count:
            last = it.publish(TOPIC, PAYLOAD, False, durable)
            if not last:
                break
            sent += 1
            newest = last
        it.pump()
        if not it.up:
            raise OSError(str(it.reason))
        it.wait(50)
    while newest in it.outbox:
        it.pump()
        it.wait(50)
    took = time.ticks_diff(time.ticks_us(), begin)
    it.close()
    return count * 1000000 / took
