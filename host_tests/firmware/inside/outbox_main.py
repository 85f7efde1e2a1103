# The main.py of the board of test_outbox_cuts.py: fills and empties an outbox while the power
# fails, and says what it has done; the next start says what was on flash.

import os
import sys

sys.path[:] = ["", "/lib", ".frozen"]
from flyve.outbox import Outbox  # noqa: E402

sent = []
outbox = Outbox("17")


def post(topic, payload, retain, pid, dup, more):
    sent.append((pid, topic, dup))


print("found", " ".join(message[0] for message in outbox._queue))
outbox.pump(post)
assert all(dup for _, _, dup in sent)
for pid, _, _ in sent:
    outbox.acked(pid)
outbox.pump(post)
sent.clear()
for number in range(4):
    topic = "76/agent/ESP32-240AC4000001/Status/Task/%d" % number
    print("adding", topic)
    outbox.add(topic, b'{"status": "done"}', False, True)
    print("added", topic)
    outbox.add("ram", b"x")
    if number % 2:
        outbox.pump(post)
        pid, topic, _ = sent.pop(0)
        print("acknowledged", topic)
        outbox.acked(pid)
        outbox.pump(post)
        print("removed", topic)
if "backlog" in os.listdir("/"):
    # More than may fly at once, and one acknowledgement after the other.
    for pid, topic, _ in sent:
        print("acknowledged", topic)
        outbox.acked(pid)
    sent.clear()
    outbox.pump(post)
    for number in range(20, 34):
        topic = "76/%d" % number
        print("adding", topic)
        outbox.add(topic, b'{"status": "done"}', False, True)
        print("added", topic)
    outbox.pump(post)
    while sent:
        pid, topic, _ = sent.pop(0)
        print("acknowledged", topic)
        outbox.acked(pid)
        outbox.pump(post)
print("over")
