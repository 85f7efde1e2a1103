"""The time of day from NTP (RFC 4330), needed before any certificate can be checked.

Nobody signs NTP's answers. A time that is no surprise is taken from the first server: within a
year after the floor or, when the clock is `sure`, within a day of the clock. Any other needs a
second server that agrees; if only one is set it is believed, but the clock is not sure then.
The floor (`time` in the record) rises by keep(), to a sure time under which a certificate was
verified. A leap back lowers it, but not below the build date.
"""

import select
import socket
import struct
import time

from micropython import const

from flyve import BUILD, board, log, transport
from flyve.jobs import net_connect

_TO_2000 = const(3155673600)  # NTP counts from 1900
_WAIT_MS = const(2000)
_DAY = const(86400)
_YEAR = const(31536000)
_AGREE_S = const(60)  # of two servers
_AGAIN_S = const(60)  # when a surprise is looked into once more, and
_LATER_S = const(3600)  # when it was none any more
_OLD_S = const(172800)  # of the floor: a certificate was verified that long after it

_known = transport.clock


def _ask(host, port):
    packet = bytearray(48)
    packet[0] = 0x23  # version 4, client
    struct.pack_into("!I", packet, 40, time.ticks_us())
    reply = bytearray(48)
    n = datagram(host, int(port or 123), packet, reply, _WAIT_MS)
    spread = struct.unpack_from("!H", reply, 8)[0]  # root dispersion, in seconds
    seconds = struct.unpack_from("!I", reply, 40)[0]
    # The server repeats our transmit time stamp: anything else answers somebody else.
    if n < 48 or reply[0] & 7 != 4 or reply[24:32] != packet[40:48]:
        host += " sent no NTP answer"
    elif reply[0] >> 6 == 3 or not 0 < reply[1] < 16 or spread > 15 or not seconds:
        host += " does not know the time"
    else:
        if seconds < _TO_2000:
            seconds += 1 << 32  # NTP's second era, from 2036 on
        seconds -= _TO_2000
        if seconds >= BUILD:
            return seconds
        host += " tells a time in the past"
    raise transport.NetError("clock", host)


def datagram(host, port, data, reply, ms):
    """Sends data by UDP and waits ms milliseconds for an answer into the buffer reply; returns
    its length. Raises NetError."""
    board.feed()
    s = None
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)
        address = net_connect.order([one[-1] for one in found])[0]
        net_connect.doubt(address)
    except (OSError, IndexError):
        raise transport.NetError("dns", "no address for %s" % host) from None
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setblocking(False)
        s.sendto(data, address)
        poll = select.poll()
        poll.register(s, select.POLLIN)
        until = log.uptime() + ms
        while True:
            left = until - log.uptime()
            for _ in poll.ipoll(max(0, min(100, left))):
                size = s.readinto(reply) or 0
                if address in transport.doubted:
                    transport.doubted.remove(address)
                return size
            if left <= 0:
                raise transport.NetError("timeout", "%s did not answer in time" % host)
            transport.slice_done()
    except OSError as e:
        if isinstance(e, transport.NetError):
            raise
        raise transport.NetError("connect", "no way to " + host) from None
    finally:
        if s:
            s.close()


def _expected(seconds):
    if _known["sure"]:
        return abs(seconds - time.time()) <= _DAY
    return _known["floor"] <= seconds <= _known["floor"] + _YEAR


def _text(seconds):
    return "%04d-%02d-%02d %02d:%02d:%02d" % time.gmtime(seconds)[:6]


def sync(agent):
    """A job: sets the clock by the servers of the settings ("host" or "host:port"), and lets it be
    due again in a day. Raises NetError when none is believed."""
    asked = []
    told = []  # surprising answers, as the uptime's difference from them
    sure = True
    for server in agent.settings["ntp"]:
        host, _, port = server.partition(":")
        if (host, port or "123") in asked:
            continue
        asked.append((host, port or "123"))
        try:
            seconds = _ask(host, port)
        except (transport.NetError, ValueError) as e:
            log.debug("clock", "%s", e)
            yield
            continue
        began = seconds - log.uptime() // 1000
        if _expected(seconds) or [one for one in told if abs(one - began) <= _AGREE_S]:
            break
        log.warn("clock", "%s tells %s: far from what is known", server, _text(seconds))
        told.append(began)
        yield
    else:
        if not told or len(asked) > 1:
            text = "no NTP server answered: allow UDP 123, or set `ntp`"
            if told:
                text = "no second NTP server agrees: correct `ntp`"
            raise transport.NetError("clock", text)
        sure = False
        seconds = told[0] + log.uptime() // 1000
    _set(agent, seconds, sure, server)


def _set(agent, seconds, sure, server):
    now = time.time()
    from flyve.jobs import board_facts

    board_facts.set_clock(time.gmtime(seconds)[:6])
    log.info("clock", "set to %s by %s", _text(seconds), server)
    if sure:
        agent.clock.after(_DAY * 1000)
    else:
        agent.clock.after(1000 * (_LATER_S if abs(now - seconds) < _DAY else _AGAIN_S))
    if now < _known["floor"]:
        # What waited for the clock need not wait any longer.
        agent.invited.now()
        if agent.online:
            agent.online.link.retry.now()
            agent.online.look()
    _known["sure"] = sure
    if seconds < _known["floor"]:
        _known["proven"] = 0
        log.warn("clock", "the last known time was wrong")
        _floor(agent.rec, seconds)
    keep(agent.rec)


def keep(rec):
    """Lets the floor follow the time at which a certificate was verified, not more often than
    daily: also for the next start."""
    if _known["proven"] > _known["floor"] + _OLD_S:
        _floor(rec, _known["proven"])


def _floor(rec, seconds):
    # A day below: no clock is exact, and no certificate that short.
    _known["floor"] = max(BUILD, seconds - _DAY)
    rec.save(time=_known["floor"])
