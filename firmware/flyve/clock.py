"""The time of day from NTP (RFC 4330), needed before any certificate can be checked."""

import struct
import time

from micropython import const

from flyve import log, resident, transport

_TO_2000 = const(3155673600)  # NTP counts from 1900
_WAIT_MS = const(2000)
_RESYNC_S = const(86400)


def _ask(server):
    host, _, port = server.partition(":")
    packet = bytearray(48)
    packet[0] = 0x23  # version 4, client
    struct.pack_into("!I", packet, 40, time.ticks_us())
    reply = bytearray(48)
    n = resident.load("dial").datagram(host, int(port or 123), packet, reply, _WAIT_MS)
    seconds = struct.unpack_from("!I", reply, 40)[0]
    if seconds < _TO_2000:
        seconds += 1 << 32  # NTP's second era, from 2036 on
    seconds -= _TO_2000
    # The server repeats our transmit time stamp: anything else answers somebody else.
    if n < 48 or reply[0] & 7 != 4 or reply[24:32] != packet[40:48]:
        host += " sent no NTP answer"
    elif reply[0] >> 6 == 3 or not 0 < reply[1] < 16:
        host += " does not know the time"
    elif seconds < transport.floor:
        host += " tells a time in the past"
    else:
        return seconds
    raise transport.NetError("clock", host)


def sync(agent):
    """A job: sets the clock by the first server of the settings ("host" or "host:port") that
    answers, and lets it be due again in a day. Raises NetError when none did."""
    rec = agent.rec
    unset = time.time() < transport.floor
    for server in agent.settings["ntp"]:
        try:
            seconds = _ask(server)
        except (transport.NetError, ValueError) as e:
            log.debug("clock", "%s", e)
            yield
            continue
        resident.load("chip").set_clock(time.gmtime(seconds)[:6])
        log.info("clock", "set to %04d-%02d-%02d %02d:%02d:%02d by %s", *time.gmtime()[:6], server)
        break
    else:
        raise transport.NetError("clock", "no NTP server answered: allow UDP 123, or set `ntp`")
    if unset:
        for waiting in (agent.link, agent.invited):
            if waiting:
                waiting.now()
    agent.clock.after(_RESYNC_S * 1000)
    # The record's time is a floor for the next boot: a day more or less does no harm.
    if seconds - rec.get("time", 0) > _RESYNC_S:
        rec.save(time=seconds)
    transport.floor = max(transport.floor, rec.get("time", 0))
