"""The user's data in GLPI: PUT User/:id with the fields that changed."""

import binascii
import json

from flyve import log, rest

FIELDS = ("firstname", "realname", "phone", "phone2", "_useremails", "_default_email")


def changed(agent, wanted):
    """The fields of wanted that the backend does not have from us, with their checksums."""
    sent = agent.rec.get("user", {})
    fields = {}
    for name in FIELDS:
        if name in wanted:
            crc = binascii.crc32(json.dumps(wanted[name]).encode())
            if sent.get(name) != crc:
                fields[name] = crc
    return fields


def update(agent, wanted):
    """A job: brings the user's data up to date. wanted: a dict with some of FIELDS. "Not
    permitted" is an answer. Raises NetError and RestError when it is worth a retry."""
    fields = changed(agent, wanted)
    user = agent.rec.get("user_id")
    if not fields or not user:
        return
    body = json.dumps({"input": {name: wanted[name] for name in fields}})
    api = rest.resume(agent)
    yield
    try:
        api.request("PUT", "User/%s" % user, data=body)
        log.info("user", "updated: %s", ", ".join(sorted(fields)))
    except rest.RestError as e:
        if not e.refused() or e.code == "ERROR_GLPI_LOGIN_USER_TOKEN":
            raise
        log.warn("user", "not permitted: %s", e)
    fields.update((k, v) for k, v in agent.rec.get("user", {}).items() if k not in fields)
    agent.rec.save(user=fields)
