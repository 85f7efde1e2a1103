"""Damaged invitations: what is wrong with them is told by a DeeplinkError, without a secret."""

import base64
import json

from host_tests.firmware.batches import run, sizes
from host_tests.kit.damage import BYTES, damaged
from host_tests.kit.sample import chance

BOARD = True
HEAP = "1M"
USER, INVITATION = "user-token-0123456789", "invitation-token-0123456789"


def _links():
    fields = ["https://glpi.example.org/apirest.php", USER, INVITATION, "Help; desk", "+33 1",
              "https://support.example.org", "help@example.org"]  # fmt: skip
    names = ("url", "user_token", "invitation_token", "support_name", "support_phone")
    texts = ["\\;".join(fields), ";".join(fields), ";".join(fields[:3])]
    texts.append(json.dumps(dict(zip(names, fields, strict=False))))
    for text in texts:
        yield text.encode()


@sizes(600, 30_000)
def test_deeplinks(upy, count):
    random = chance("deeplink")
    texts = list(_links())
    forms = (
        b"https://x.example.org/a?data=%s",
        b"flyve://register?data=%s",
        b"http://x/%s",
        b"%s",
    )

    def make():
        text = random.choice(texts)
        inside = random.random() < 0.5
        code = base64.b64encode(damaged(random, text, BYTES) if inside else text)
        link = random.choice(forms) % code
        return link if inside and random.random() < 0.7 else damaged(random, link, BYTES)

    run(upy, "deeplinks", make, count)
