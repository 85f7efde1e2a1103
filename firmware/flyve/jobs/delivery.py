"""One file on its way from the backend to the flash: the requests. download.py does the rest.

The backend loses the last byte of every answer whose length is 1 modulo 16384, answers 200 where a
part was asked for, and never 416: so lengths are chosen, and what comes is judged and counted.
"""

from micropython import const

from flyve import log, memory, registry, transport

idle_ms = 15000  # for one piece: a server slower than 280 bytes a second is given up

_LOST = const(16384)  # the backend reads its files by so much
_FIRST = const(1048576)
_SMALLEST = const(8192)
_LARGEST = const(4194304)
_PROGRESS = const(256)  # bytes that make a request worth while
_TRIES = const(4)  # requests that were not, in a row
_EDITIONS = const(3)  # files that change under our hands, in a row
_FORM = const(("name", "package_name", "dl_filename", "version", "version_code", "filesize"))


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _request(online, item, headers, ms):
    from flyve.jobs import rest

    return rest.request(rest.resume(online), "GET", item, "", headers, None, ms, True)


def _begin(part):
    from flyve.jobs import download

    return (yield from download.begin(part))


def _take(*what):
    from flyve.jobs import download

    yield from download.take(*what)


def _end(part):
    from flyve.jobs import download

    yield from download.end(part)


class Delivery:
    """One file on its way. item: e.g. "PluginFlyvemdmFile/1"; place: a path, or (with a trailing
    slash) a folder; firmware: an ESP32 image is not for there, but for the OTA slot. `part` is
    what of it is on the flash, for download.py and slot.py, which do not stay."""

    def __init__(self, online, item, place, firmware=False):
        self._online = online
        self._item = item
        self._ms = idle_ms
        self._requests = 0
        self.part = {
            "item": item,
            "place": place,
            "path": None,  # of the file, once its name is known
            "form": None,  # what its JSON form says
            "journal": None,  # what is on the flash about it
            "total": None,  # bytes; backends before 2018 tell it only with the bytes
            "have": 0,  # of these, in the file or the buffer
            "base": 0,  # of these, in the file
            "edge": 0,  # where the block of littlefs ends that comes next
            "block": 0,  # its number
            "hash": None,  # the SHA-256 of what is in the file
            "file": None,  # while it is open
            "firmware": firmware,
            "slot": None,  # the OTA partition instead of a file
            "buf": None,
            "plain": False,  # a request for a part has not told the total: the next is for all
        }

    def run(self):
        """A job: yields after each piece of at most 4 KiB; at its end the file is in its place.
        Returns its path, or the OTA partition that an image is in.

        Raises Failed or Incompatible when it cannot be had, nothing of it is kept then; NetError
        when a new Delivery may go on later, from what is durable."""
        part = self.part
        try:
            for _ in range(_EDITIONS):
                try:
                    part["form"] = self._describe()
                    yield
                    if (yield from _begin(part)):
                        return part["path"]
                    self._requests = 1 if part["have"] else 0
                    yield from self._fetch()
                    self._close()
                    yield
                    # What came in several answers must all be of one version.
                    if self._requests > 1 and self._describe() != part["form"]:
                        raise EOFError("another version")
                    yield from _end(part)
                    return part["slot"] or part["path"]
                except EOFError as e:
                    log.info("download", "%s changed on the server: %s", self._item, e)
                    self._discard()
            raise registry.Failed("%s does not stay the same" % self._item)
        except transport.NetError:
            raise
        except (registry.Failed, registry.Incompatible):
            self._discard()
            raise
        except OSError as e:
            self._discard()
            raise registry.Failed("flash: %s" % log.reason(e))
        finally:
            self._close()

    def _close(self):
        memory.drop("download", "paths", "slot")
        if self.part["file"]:
            self.part["file"].close()
            self.part["file"] = None

    def _discard(self):
        self._close()
        from flyve.jobs import download

        download.discard()

    def _answer(self, headers=None):
        """(status, headers, socket) of the answer to a GET of the item; the body is not read yet,
        and what would read it needs the memory that the REST client took."""
        memory.drop("download", "paths", "slot")
        try:
            answer = _request(self._online, self._item, headers, 2 * self._ms)
            answer[2].extend(self._ms)
            return answer
        finally:
            memory.drop("rest")

    def _describe(self):
        """What the file's JSON form says, filesize as an int if it says one."""
        sock = self._answer()[2]
        try:
            from flyve.jobs import jsonpick

            form = jsonpick.pick(sock, _FORM)
            size = form.pop("filesize", None)
            for name, value in form.items():
                if not isinstance(value, (str, int)):
                    form[name] = [repr(value)]  # a float comes out of the journal as another
            if size == "" or size is False:
                size = None  # PHP knows none: then the request for the bytes has the verdict
            if size is not None:
                form["filesize"] = size = int(size)
            if size is None or size >= 0:
                return form
            text = "below 0"
        except (TypeError, ValueError, OverflowError) as e:
            text = repr(e)
        finally:
            sock.close()
            jsonpick = None
            memory.drop("jsonpick")
        text = "no size in the JSON form of %s: %s" % (self._item, text)
        raise transport.NetError("closed", text)

    def _fetch(self):
        """Requests one piece after the other until all is there."""
        part = self.part
        fixed = self._online.settings.get("chunk")
        size = fixed or _FIRST
        misses = 0
        while part["total"] is None or part["have"] < part["total"] or not self._requests:
            before = first = part["have"]
            left = size if part["total"] is None else part["total"] - first
            length = min(size, left)
            if left == 1 and first:
                first -= 1
                length = 2
            while length > 1 and (length % _LOST == 1 or left - length == 1):
                length -= 1
            headers = {"Accept": "application/octet-stream"}
            if length and not (part["plain"] and part["total"] is None):
                headers["Range"] = "bytes=%d-%d" % (first, first + length - 1)
            self._requests += 1
            failure = None
            try:
                answer = self._answer(headers)
                yield from _take(part, answer, first, length, self._ms)
            except transport.NetError as e:
                total = part["total"]
                if e.status == 416 and total is None and not part["plain"]:
                    part["plain"] = True  # an empty file has no part
                elif e.status == 416 and e.place and not e.place.endswith("/%s" % total):
                    raise EOFError("it ends before byte %d" % before)
                # The backend's word for a file that is gone: nothing, or GLPI's pair.
                elif (
                    e.status == 404
                    and e.endpoint == self._item
                    and (e.code == "NO_BODY" or e.refused())
                ):
                    raise registry.Failed("the server has lost " + self._item)
                # Below 100: the status line itself was cut. Who asks us to wait is not pressed.
                elif 100 <= e.status < 500 or e.after or e.kind == "moved":
                    raise
                failure = e
                log.debug("download", "%s at byte %d", e, part["have"])
            if not fixed:
                whole = part["have"] >= first + length
                size = min(_LARGEST, size * 2) if whole else max(_SMALLEST, size // 2)
            misses += 1
            if part["have"] - before >= _PROGRESS or part["have"] == part["total"]:
                misses = 0
            elif misses == _TRIES:
                text = "the server does not send byte %d of %d"
                raise failure or registry.Failed(text % (part["have"], part["total"]))
            yield
