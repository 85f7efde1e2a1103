"""MQTT's CONNECT and CONNACK, by umqtt.simple, which is in memory only for that."""

import sys

from flyve import transport
from flyve.mqtt import LinkError

_REASONS = {
    1: "protocol version refused",
    2: "client id refused",
    3: "broker unavailable",
    4: "bad user name or password",
    5: "not authorized",
}


def connect(ms, will, client_id, server, port, user, password, keepalive, tls):
    """Returns the socket of a new MQTT connection. will: (topic, payload), retained and of QoS 1;
    keepalive in seconds. Raises LinkError and NetError."""
    # The library takes its sockets by name.
    sys.modules["usocket"] = sys.modules["ussl"] = transport
    from umqtt import simple

    try:
        client = simple.MQTTClient(client_id, server, port, user, password, keepalive, tls)
        client.set_last_will(will[0], will[1], retain=True, qos=1)
        with transport.Exchange(server, ms) as x:
            client.connect()
            return x.detach()
    except simple.MQTTException as e:
        code = e.args[0]
        raise LinkError("refused: " + _REASONS.get(code, str(code)), code) from None
    except (AssertionError, IndexError, TypeError):
        raise LinkError("no MQTT broker answered there") from None
    finally:
        for name in ("umqtt.simple", "umqtt"):
            sys.modules.pop(name, None)
