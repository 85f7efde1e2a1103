"""The JSON form of a file or package at the backend. `part`: see delivery_steps.py."""

from micropython import const

from flyve import transport

_BUFFER = const(256)  # it is short
_FIELDS = const(("name", "package_name", "dl_filename", "version", "version_code", "filesize"))


def read(part, answer):
    """Reads what it says out of an answer, filesize as an int if it says one. Raises NetError."""
    sock = answer[2]
    try:
        from flyve.jobs import jsonpick

        form = jsonpick.pick(sock, _FIELDS, bytearray(_BUFFER))
        size = form.pop("filesize", None)
        for name, value in form.items():
            if not isinstance(value, (str, int)):
                form[name] = [repr(value)]  # a float comes out of the journal as another
        if size == "" or size is False:
            size = None  # PHP knows none: then the request for the bytes has the verdict
        if size is not None:
            form["filesize"] = size = int(size)
        part["said"] = form
        if size is None or size >= 0:
            return
        text = "below 0"
    except (TypeError, ValueError, OverflowError) as e:
        text = repr(e)
    finally:
        sock.close()
    text = "no size in the JSON form of %s: %s" % (part["item"], text)
    raise transport.NetError("closed", text)
