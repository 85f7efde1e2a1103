# Called by test_tls_trust.py: the first thing that the agent does with a server.

import time

from flyve import log, transport
from flyve.jobs import mqtt_connect, rest, rest_client

log.sink = lambda line: None


def trust(ca, clock):
    """The certificate on the board; clock: whether it is set."""
    with open("/ca.der", "wb") as f:
        f.write(ca)
    transport.trust.update(ca="/ca.der", verify=True, context=None)
    transport.clock.update(floor=0 if clock else time.time() + 1000)


def _report(work):
    try:
        return ["ok", work()]
    except transport.NetError as e:
        return [e.kind, str(e)]


def https(host, port, secret):
    """Opens a session with a token."""
    settings = {"token_in": "both", "app_token": None}
    api = rest_client.client(f"https://{host}:{port}/apirest.php", settings)
    return _report(lambda: rest.open(api, secret) or api["session"]["token"])


def broker(host, port, secret):
    """Connects with a password."""
    rec = {"topic": "t/SN1", "mqttpasswd": secret, "broker": host, "port": port}
    settings = {"tls": True, "port": None, "broker": None, "keepalive": 60}
    will = "76/agent/SN1/Status/Online", b"{}"
    return _report(
        lambda: mqtt_connect.connection(rec, settings, will, 5000, None, None, None).close()
    )
