"""Opens the MQTT link: CONNECT by umqtt.simple, which is in memory only for that, the last will,
and the subscriptions."""

from flyve import log, memory, transport
from flyve.mqtt import Client

_REASONS = {
    1: "protocol version refused",
    2: "client id refused",
    3: "broker unavailable",
    4: "bad user name or password",
    5: "not authorized",
}


def presence(generation, form):
    """(online, offline) payloads. Generation C reads JSON booleans, and the string "true" too;
    A and B read the strings only. form: the setting online_payload."""
    if form == "bool":
        return b'{"online": true}', b'{"online": false}'
    boolean = form == "auto" and generation == "C"
    return b'{"online": "true"}', b'{"online": false}' if boolean else b'{"online": "false"}'


def filters(rec):
    """The topic filters to subscribe to."""
    t = rec.get("topic")
    if rec.get("generation") == "A":
        wanted = [t + "/Command/#", t + "/Subscription", "/FlyvemdmManifest/Status/Version"]
    else:
        wanted = [t + "/Command/#", t + "/Policy/#", "FlyvemdmManifest/Status/Version"]
    fleet = rec.get("fleet")
    return wanted + [fleet + "/#"] if fleet else wanted


def refresh(link, rec):
    """Subscribes to the policies again, which brings the retained ones."""
    if link.up:
        link.ask([topic for topic in filters(rec) if "/Command/" not in topic])


def connect(rec, settings, status, ms, *handlers):
    """Connects within ms milliseconds and subscribes. status: the topic of the presence; handlers:
    as mqtt.Client has them. Returns the client, what was asked for (packet id -> topic filter,
    None for the one that may be refused) and presence(). Raises NetError."""
    lit = settings.get("led") is not None
    if lit:
        _show("joining")
    shown = "trouble"
    try:
        made = _connect(rec, settings, status, ms, *handlers)
        shown = "online"
        return made
    finally:
        if lit:
            _show(shown)


def _show(what):
    try:
        from flyve.jobs import led

        led.show(what)
    except MemoryError:
        pass  # only the LED is wrong
    finally:
        led = None
        memory.drop("led")


def _connect(rec, settings, status, ms, *handlers):
    told = presence(rec.get("generation"), settings["online_payload"])
    client = connection(rec, settings, (status, told[1]), ms, *handlers)
    try:
        asked = {client.ask(topic): topic for topic in filters(rec)}
        asked[client.ask(status, b"\0")] = None
        return client, asked, told
    except transport.NetError:
        client.close()
        raise


def connection(rec, settings, will, ms, *handlers):
    """A new MQTT connection, an mqtt.Client. will: (topic, payload), retained and of QoS 1.
    Raises NetError."""
    tls = settings.get("tls") if settings.get("tls") is not None else bool(rec.get("tls"))
    port = settings.get("port") or rec.get("port") or (8883 if tls else 1883)
    host = settings.get("broker") or rec.get("broker")
    log.secret("mqtt", rec.get("mqttpasswd"))
    # As bytes, for the library counts characters.
    user = rec.get("topic").rsplit("/", 1)[1].encode()
    password = rec.get("mqttpasswd").encode()
    if tls:
        from flyve.jobs import tls_trust

        tls_trust.prepare(transport.trust)
        tls_trust = None
        memory.drop("tls_trust", "tls_context")
    try:
        from flyve.jobs import sockets

        with sockets.Exchange(host, ms) as x:
            from umqtt import simple  # it takes the sockets of this exchange

            try:
                client = simple.MQTTClient(
                    user, host, port, user, password, settings["keepalive"], tls
                )
                client.set_last_will(will[0].encode(), will[1], retain=True, qos=1)
                client.connect()
                stream = x.detach()
            except simple.MQTTException as e:
                code = e.args[0]
                raise transport.NetError(
                    "mqtt", "refused: " + _REASONS.get(code, str(code)), code
                ) from None
            except (AssertionError, IndexError, TypeError):
                raise transport.NetError("mqtt", "no MQTT broker answered there") from None
    finally:
        sockets = x = simple = client = None
        memory.drop("sockets", "body")
    return Client(stream, *handlers)
