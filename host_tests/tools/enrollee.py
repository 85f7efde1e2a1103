"""A device as the backend sees one: REST calls, raw HTTP and an MQTT client."""

from __future__ import annotations

import base64
import json
import queue
import socket
import urllib.parse
import uuid

import httpx
import paho.mqtt.client as mqtt


def fields_of(link):
    """The fields of a deeplink in today's form."""
    data = base64.b64decode(link.partition("?data=")[2]).decode()
    return data.split("\\;")


def inventory(serial, tag, device_id=None):
    """A small FusionInventory document."""
    return (
        "<REQUEST><QUERY>INVENTORY</QUERY>"
        f"<DEVICEID>{device_id or 'id-' + serial}</DEVICEID><CONTENT>"
        f"<ACCOUNTINFO><KEYNAME>TAG</KEYNAME><KEYVALUE>{tag}</KEYVALUE></ACCOUNTINFO>"
        f"<BIOS><SSN>{serial}</SSN></BIOS></CONTENT></REQUEST>"
    )


def encoded(xml):
    """An inventory as the POST carries it."""
    return base64.b64encode(xml.encode()).decode()


def raw(backend, path, headers=(), version="1.0"):
    """One GET, byte for byte: status, headers (lower case) and all that came before the end."""
    with socket.create_connection(("127.0.0.1", backend.web.port), timeout=5) as connection:
        lines = [f"GET {path} HTTP/{version}", "Host: localhost", "Connection: close", *headers]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return int(status.split()[1]), {k.lower(): v for k, v in pairs}, body


class Enrollee:
    """One device with its person's account."""

    def __init__(self, backend, email="ann@example.org", serial="ESP32-0001", **person):
        self.backend, self.email, self.serial = backend, email, serial
        self.link = backend.invite(email, **person)
        self.user_token, self.invitation = fields_of(self.link)[1:3]
        self.http = httpx.Client(base_url=backend.url, trust_env=False, timeout=5)
        self.session = None
        self.settings = {}

    def call(self, method, path, **arguments):
        """A REST call with the session's token in the header."""
        headers = {"Session-Token": self.session} if self.session else {}
        headers |= {"Content-Type": "application/json", **arguments.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **arguments)

    def log_in(self, token=None):
        """Open a session."""
        self.session = None
        answer = self.call("GET", "/initSession", params={"user_token": token or self.user_token})
        self.session = answer.json()["session_token"]

    def switch(self, profile=9):
        """Change the active profile."""
        return self.call("POST", "/changeActiveProfile", params={"profiles_id": profile})

    def input(self, **changes):
        """The fields of an enrollment; a change to None leaves a field out."""
        fields = {
            "_email": self.email,
            "_invitation_token": self.invitation,
            "_serial": self.serial,
            "_uuid": self.serial,
            "inventory": encoded(inventory(self.serial, f"invitation_{self.invitation}")),
            "version": "2.0.0-esp32",
            "type": "android",
            "notification_type": "mqtt",
            "notification_token": "",
            **changes,
        }
        return {key: value for key, value in fields.items() if value is not None}

    def post(self, **changes):
        """Ask for enrollment."""
        return self.call("POST", "/PluginFlyvemdmAgent", json={"input": self.input(**changes)})

    def enroll(self, **changes):
        """The whole sequence; returns the settings."""
        self.log_in()
        self.switch()
        answer = self.post(**changes)
        assert answer.is_success, answer.text
        self.settings = self.call("GET", f"/PluginFlyvemdmAgent/{answer.json()['id']}").json()
        self.call("GET", "/killSession")
        self.http.close()
        self.http = httpx.Client(base_url=self.backend.url, trust_env=False, timeout=5)
        return self.settings

    @property
    def agent(self):
        """The backend's record of this device."""
        return self.backend.admin.agent(self.serial)

    def close(self):
        """Close the connections."""
        self.http.close()


class Link:
    """A device's MQTT connection."""

    def __init__(self, device, will=None):
        settings = device.settings
        self.topic = settings["topic"]
        self.inbox = queue.SimpleQueue()
        self._results = queue.SimpleQueue()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, uuid.uuid4().hex, reconnect_on_failure=False
        )
        self.client.username_pw_set(self.topic.rpartition("/")[2], settings["mqttpasswd"])
        if settings["tls"]:
            self.client.tls_set(str(device.backend.ca_pem))
        if will is not None:
            self.client.will_set(f"{self.topic}/Status/Online", will, 0, True)
        self.client.on_connect = lambda c, u, f, reason, p: self._results.put(reason)
        self.client.on_subscribe = lambda c, u, mid, reasons, p: self._results.put(reasons[0])
        self.client.on_message = lambda c, u, message: self.inbox.put(message)
        self.client.connect(settings["broker"], settings["port"])
        self.client.loop_start()
        self.accepted = not self._results.get(timeout=5).is_failure

    def subscribe(self, pattern):
        """Subscribe; True when it was granted."""
        self.client.subscribe(pattern, 0)
        return not self._results.get(timeout=5).is_failure

    def publish(self, topic, payload):
        """Publish below the device's topic, a dict as JSON; returns when acknowledged."""
        text = json.dumps(payload) if isinstance(payload, dict) else payload
        self.client.publish(f"{self.topic}/{topic}", text, 1).wait_for_publish(5)

    def get(self, timeout=5):
        """The next message."""
        return self.inbox.get(timeout=timeout)

    def close(self, clean=True):
        """Disconnect; not `clean`: as a device that loses its power."""
        if clean:
            self.client.disconnect()
        else:
            self.client.socket().shutdown(socket.SHUT_RDWR)
        self.client.loop_stop()


def query(path, **fields):
    """A path with a query."""
    return f"{path}?{urllib.parse.urlencode(fields)}"
