"""Names for the numbers by which the operating system, littlefs and lwIP tell their errors."""

import errno

from micropython import const

# What MicroPython's errno leaves out. From 100 on the chip has other numbers than Linux; those
# that both use are in errno, which is asked first.
_NAMES = const((
    (3, "ESRCH"), (4, "EINTR"), (6, "ENXIO"), (7, "E2BIG"), (14, "EFAULT"), (16, "EBUSY"),
    (18, "EXDEV"), (20, "ENOTDIR"), (23, "ENFILE"), (24, "EMFILE"), (25, "ENOTTY"), (27, "EFBIG"),
    (28, "ENOSPC"), (29, "ESPIPE"), (30, "EROFS"), (31, "EMLINK"), (32, "EPIPE"), (33, "EDOM"),
    (34, "ERANGE"), (36, "ENAMETOOLONG"), (39, "ENOTEMPTY"), (61, "ENODATA"), (71, "EPROTO"),
    (84, "EILSEQ, damaged filesystem"), (88, "ENOTSOCK"), (90, "ENOTEMPTY"), (91, "ENAMETOOLONG"),
    (97, "EAFNOSUPPORT"), (99, "EADDRNOTAVAIL"), (100, "ENETDOWN"), (101, "ENETUNREACH"),
    (102, "ENETRESET"), (104, "ECONNRESET"), (106, "EISCONN"), (108, "ESHUTDOWN"),
    (112, "EADDRINUSE"), (113, "ECONNABORTED"), (114, "ENETUNREACH"), (115, "ENETDOWN"),
    (116, "ETIMEDOUT"), (117, "EHOSTDOWN"), (118, "EHOSTUNREACH"), (125, "EADDRNOTAVAIL"),
    (127, "EISCONN"), (128, "ENOTCONN"), (134, "ENOTSUP"),
))  # fmt: skip


def name(number):
    """The name of an errno, or the number as a text."""
    found = errno.errorcode.get(number)
    if found:
        return found
    for known, text in _NAMES:
        if known == number:
            return text
    return str(number)


def text(e):
    """What an OSError says, with the name of its number."""
    number = e.args[0] if e.args else ""
    if len(e.args) > 1:
        return "%s (%s)" % (e.args[1], number)  # ESP-IDF and mbedTLS bring their names along
    if not isinstance(number, int):
        return str(e)
    found = name(number)
    return "error %d" % number if found == str(number) else "%s (%d)" % (found, number)


def broken(e, host, handshake):
    """(kind, text) of the NetError for a connection that broke; handshake: in TLS, before the
    first byte came."""
    if isinstance(e, ValueError) or not (e.errno and 0 < e.errno < 1000):
        from flyve.jobs import tls_error

        return tls_error.explain(e)
    found = "the connection to %s broke (%s)" % (host, name(e.errno))
    if handshake:
        # Servers that miss a client's certificate close before we have said all that we have to.
        found += " while TLS began: does the server want a client certificate?"
    return "closed", found
