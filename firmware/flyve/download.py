"""Resumable download of a file to the flash, in Range requests, judged by what really arrives.

The backend loses the last byte of every answer whose length is 1 modulo 16384, answers 200 where
a part was asked for, and never 416: so lengths are chosen, counted and repaired here.
"""

import binascii
import hashlib
import json
import os

from micropython import const

from flyve import log
from flyve.rest import RestError
from flyve.transport import NetError

PART = "/part"  # what has come so far
JOURNAL = "/part.json"  # of which file it is a part; made before it and removed before it

idle_ms = 15000  # for one piece: a server slower than 280 bytes a second is given up

_BLOCK = const(4096)  # of littlefs, and of the one buffer
_LOST = const(16384)  # the backend reads its files by so much
_FIRST = const(262144)
_SMALLEST = const(8192)
_LARGEST = const(4194304)
_PROGRESS = const(256)  # bytes that make a request worth while
_TRIES = const(4)  # requests that were not, in a row
_EDITIONS = const(3)  # files that change under our hands, in a row
_BYTES = "application/octet-stream"
_FORM = ("name", "package_name", "dl_filename", "version", "version_code", "filesize")


class DownloadError(Exception):
    """The file cannot be had; the text says why. Nothing of it is kept."""


class _Changed(Exception):
    """The file is no longer the one of the JSON form."""


def describe(api, endpoint):
    """What the JSON form of a file or package says: a dict with those of name, package_name,
    dl_filename, version, version_code and filesize that it has; filesize is an int.
    Raises NetError and RestError."""
    form = api.pick("GET", endpoint, _FORM, ms=2 * idle_ms)
    try:
        form["filesize"] = size = int(form["filesize"])
        if size >= 0:
            return form
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    raise RestError(200, "NO_SIZE", "no size in the JSON form of " + endpoint)


def discard():
    """Forgets a download that will not be continued."""
    for path in (JOURNAL, PART):
        if _size(path) is not None:
            os.remove(path)


def _size(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return None


class Download:
    """One file on its way to the flash; endpoint: e.g. "PluginFlyvemdmFile/1".

    place(form) gives the full path for what describe() found, or raises to refuse it; chunk fixes
    the bytes of one request. have of total bytes are there; after run(), form, path and sha256
    say what came."""

    def __init__(self, api, endpoint, place, chunk=None):
        self._api = api
        self._endpoint = endpoint
        self._place = place
        self._least = chunk or _SMALLEST
        self._most = chunk or _LARGEST
        self._chunk = chunk or _FIRST
        self._buf = self._file = None
        self.form = self.path = self.sha256 = None
        self.total = self.have = self._base = 0

    def run(self):
        """A job: yields after each piece of at most 4 KiB; at its end the file is at path.

        Raises DownloadError when it cannot be had; NetError and RestError when a new Download may
        go on later, from what is durable; and whatever place() raises."""
        try:
            for _ in range(_EDITIONS):
                try:
                    yield from self._prepare()
                    if not self.sha256:
                        yield from self._fetch()
                        yield from self._install()
                    os.remove(JOURNAL)
                    done = self.path, self.total, self.sha256
                    log.info("download", "done path=%s bytes=%d sha256=%s", *done)
                    return
                except _Changed as e:
                    log.info("download", "%s changed on the server: %s", self._endpoint, e)
                    self._abandon()
            raise DownloadError("%s does not stay the same" % self._endpoint)
        except NetError:
            raise
        except DownloadError:
            self._abandon()
            raise
        except OSError as e:
            self._abandon()
            raise DownloadError("flash: %s" % e) from None
        finally:
            self._close()

    def _prepare(self):
        """Finds out what to fetch, and how much of it is there."""
        self.form = describe(self._api, self._endpoint)
        yield
        self._buf = memoryview(bytearray(_BLOCK))
        self.total = self.form["filesize"]
        self.path = self._place(self.form)
        file = [self._endpoint, self.path, self.form]
        try:
            with open(JOURNAL) as f:
                self._journal = json.load(f)
        except (OSError, ValueError):
            self._journal = {}
        if self._journal.get("file") != file:
            discard()
            self._journal = {"file": file}
        self.have = self._base = self._block = self._requests = 0
        self._edge = _BLOCK
        self._hash = hashlib.sha256()
        part = _size(PART)
        if part:
            log.info("download", "goes on at byte %d of %d", part, self.total)
            self._requests = 1
            with open(PART, "rb") as f:
                while self.have < part:
                    n = f.readinto(self._buf[: self._edge - self.have])
                    self._hash.update(self._buf[:n])
                    self.have += n
                    self._turn()
                    yield
            self._base = part
        elif part is None and _size(self.path) == self.total:
            # If there is a hash, a cut came between the last two steps.
            self.sha256 = self._journal.get("sha256")
        st = os.statvfs("/")
        left = self.total - self.have
        # Each block of a file holds pointers too; directories and the journal need some.
        if not self.sha256 and left // (st[0] - 8) + 5 > st[3]:
            raise DownloadError("no space: %d bytes to come, %d free" % (left, st[0] * st[3]))

    def _fetch(self):
        """Requests one part after the other until all is there."""
        misses = 0
        while self.have < self.total or not self._requests:
            before = self.have
            failure = None
            try:
                yield from self._request()
            except (NetError, RestError) as e:
                status = getattr(e, "status", 0)
                if status == 416:
                    raise _Changed("it ends before byte %d" % before) from None
                if status == 404:
                    raise DownloadError("the server has lost " + self._endpoint) from None
                # Below 100: the status line itself was cut.
                if 100 <= status < 500 or getattr(e, "kind", None) == "moved":
                    raise
                failure = e
                log.debug("download", "%s at byte %d", e, self.have)
            misses += 1
            if self.have - before >= _PROGRESS or self.have == self.total:
                misses = 0
            elif misses == _TRIES:
                text = "the server does not send byte %d of %d"
                raise failure or DownloadError(text % (self.have, self.total))
            yield

    def _span(self):
        """First byte and length of the next request."""
        left = self.total - self.have
        if left == 1 and self.have:
            return self.have - 1, 2
        length = min(self._chunk, left)
        while length > 1 and (length % _LOST == 1 or left - length == 1):
            length -= 1
        return self.have, length

    def _request(self):
        """Takes what one answer brings."""
        self._requests += 1
        first, length = self._span()
        end = first + length
        headers = {"Accept": _BYTES}
        if length:
            headers["Range"] = "bytes=%d-%d" % (first, end - 1)
        chunk = self._chunk
        self._chunk = max(self._least, chunk // 2)
        answer = self._api.stream(self._endpoint, headers, 2 * idle_ms)
        try:
            at = self._judge(answer, first, length)
            if answer.status_code == 200:
                end = self.total
            yield from self._receive(answer.raw, at, end)
        finally:
            answer.close()
        if self.have >= end:
            self._chunk = min(self._most, chunk * 2)

    def _judge(self, answer, first, length):
        """Which byte of our file the answer begins with."""
        headers = answer.headers
        kind = headers.get("content-type", _BYTES)
        for name in ("content-encoding", "transfer-encoding"):
            if headers.get(name, "identity") != "identity":
                kind = headers[name] + " data"
        if not kind.startswith(_BYTES):
            raise DownloadError("the server sends %s instead of the file" % kind)
        size = headers.get("content-length", "")
        at = 0
        place = headers.get("content-range", "").replace("-", " ").replace("/", " ").split()
        if len(place) == 4 and place[1].isdigit():
            at = int(place[1])
            size = place[3]  # the place's end may be one too many
        elif answer.status_code != 200:
            if size != str(length):
                raise NetError("closed", "the server does not tell which part it sends")
            at = first
            size = "*"
        total = int(size) if size.isdigit() else self.total
        modified = headers.get("last-modified")
        known = self._journal.get("modified")
        if total != self.total or (modified and known and modified != known):
            raise _Changed("now %d bytes of %s" % (total, modified))
        if at > first:
            raise DownloadError("the server sends byte %d instead of %d" % (at, first))
        if not known:
            self._journal["modified"] = modified
            self._note()
        return at

    def _receive(self, sock, at, end):
        """Takes the file's bytes up to end out of a body that begins with byte at."""
        while self.have < end:
            sock.extend(idle_ms)
            # What is there already comes again and is read over; then block by block.
            stop = min(at + _BLOCK, self.have) if at < self.have else min(self._edge, end)
            while at < stop:
                used = self.have - self._base
                n = sock.readinto(self._buf[used : used + stop - at])
                if not n:
                    return
                at += n
                self.have = max(self.have, at)
            if self.have == self._edge:
                self._write()
            yield

    def _write(self):
        """Takes the buffer to the flash."""
        data = self._buf[: self.have - self._base]
        if self._file is None:
            self._file = open(PART, "ab")
        self._hash.update(data)
        self._file.write(data)
        self._base = self.have
        if self._turn():
            self._file.flush()

    def _turn(self):
        """Moves the edge when it is reached; true when it is time to flush.

        The edge is the end of a block of littlefs: only from there it goes on without a copy of
        what was flushed. Block i begins with as many pointers as i has zero bits at its end,
        and one."""
        if self.have < self._edge:
            return False
        self._block = i = self._block + 1
        self._edge += _BLOCK - 4
        while not i & 1:
            self._edge -= 4
            i >>= 1
        return not self._block & 3

    def _note(self):
        # Until its close the old content stays: a cut leaves the old journal or the new one.
        with open(JOURNAL, "w") as f:
            json.dump(self._journal, f)

    def _close(self):
        if self._base < self.have:
            self._write()
        if self._file:
            self._file.close()
            self._file = None

    def _abandon(self):
        self._base = self.have
        self._close()
        discard()

    def _install(self):
        """Puts the whole file in the place of the old one, by one rename."""
        if not self.total:
            self._write()
        self._close()
        self._buf = None  # describe() needs the room
        yield
        # What came in several answers must all be of one version.
        if self._requests > 1 and describe(self._api, self._endpoint) != self.form:
            raise _Changed("another version")
        sha256 = binascii.hexlify(self._hash.digest()).decode()
        self._journal["sha256"] = sha256
        self._note()
        yield
        at = self.path.find("/", 1)
        while at > 0:
            if _size(self.path[:at]) is None:
                os.mkdir(self.path[:at])
            at = self.path.find("/", at + 1)
        os.rename(PART, self.path)
        self.sha256 = sha256
