"""What is read takes as much memory as it is long."""

import gc
import os

from flyve import memory
from flyve.jobs import config, invitation, nvs
from flyve.jobs.texts import read

BOARD = True


def fits(room, work):
    """True when the work does with one free piece of that many bytes, and small change."""
    gc.collect()
    hole = [bytearray(room)]
    held = None
    for size in (1024, 256, 128):
        try:
            while True:
                held = [bytearray(size), held]
        except MemoryError:
            pass
    hole.clear()
    gc.collect()
    try:
        work()
        return True
    except MemoryError:
        return False
    finally:
        held = None
        gc.collect()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def test_the_measure_itself_is_right():
    assert fits(4096, lambda: bytearray(2048))
    assert not fits(4096, lambda: bytearray(8192))


# A33
def test_a_ca_of_1_kb_takes_little_more_than_its_size():
    from flyve.jobs import tls_context

    def build():
        try:
            tls_context.context("/ca.der", True)
        except tls_context.TrustError:
            pass  # what was read is no certificate

    write("/ca.der", bytes(1024))
    build()
    assert fits(6000, build)  # a context alone takes 3500


# A33
def test_a_pem_is_decoded_without_another_copy():
    import binascii

    from flyve.jobs import tls_context

    body = binascii.b2a_base64(bytes(1024))
    write("/ca.pem", b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n")

    def build():
        try:
            tls_context.context("/ca.pem", True)
        except tls_context.TrustError:
            pass

    build()
    assert fits(8000, build)


# A33
def test_small_settings_and_deeplinks_take_little():
    write(config.PATH, b'{"keepalive": 20}')
    write(invitation.PATH, b"flyve://x")
    assert fits(1500, lambda: read(config.PATH, config.LIMIT))
    assert fits(1500, lambda: read(invitation.PATH, 2048))
    assert read(config.PATH, 4) == b'{"kee'  # one more than the limit tells that it is too long
    os.remove(config.PATH)
    os.remove(invitation.PATH)


# A33
def test_a_small_blob_of_nvs_takes_little():
    nvs.put("small", b"x" * 100)
    assert fits(900, lambda: nvs.get("small"))
    for size in (0, 1, 127, 128, 129, 1024, 1025, 2049, 4000):
        nvs.put("small", bytes(size))
        assert nvs.get("small") == bytes(size), size
    nvs.erase("small")
    memory.drop()
