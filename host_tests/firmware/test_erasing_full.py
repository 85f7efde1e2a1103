"""A wipe of a flash without a free block, beside an NVS that others have filled."""

from flyve_mdm.build import firmware
from host_tests.kit.packages import fill_nvs

WIPE = """
import os, machine
if machine.reset_cause() == 1:
    os.mkdir('/files')
    size, count = 65536, 0
    while size:
        try:
            with open('/files/f%d' % count, 'wb') as f:
                f.write(bytes(size))
        except OSError:
            size //= 4
        count += 1
    from flyve.jobs import config, erasing
    erasing.begin_wipe()
    print('begun', erasing.wiping())
    erasing.wipe(config.load()[0])
from flyve.jobs import erasing, nvs
print('again', erasing.wiping(), erasing.settle())
print('left', sorted(n for n in os.listdir('/') if 'flyve' not in n))
print('kept', nvs.get_int('update'), nvs.get('wifi'), nvs.get('rec.a'))
"""


def full(bench):
    made = bench.board(WIPE)
    made.change(
        {"/config.json": b'{"keep_wifi": true}'},
        {("flyve", "update"): 1, ("flyve", "wifi"): b'[["net", "secret"]]',
         ("flyve", "rec.a"): b"record"},
    )  # fmt: skip
    return made


WIPED = [
    "left ['boot.py', 'lib', 'main.py']",
    'kept 1 b\'[["net", "secret"]]\' None',
]


# A25
def test_a_wipe_of_a_flash_that_is_full_to_the_last_byte_ends(bench):
    lines = bench.lines(full(bench))
    assert "begun True" in lines
    assert lines[-3:-1] == WIPED or lines[-2:] == WIPED, lines


# Until not even the name of an empty file finds room in the root's block.
ROOT_FULL = """
    n = 0
    for size in (200, 50, 1):
        try:
            while n < 2000:
                open('/' + 'x' * size + '%06d' % n, 'w').close()
                n += 1
        except OSError:
            print('no room')
"""


# A25
def test_a_wipe_where_neither_the_flash_nor_nvs_takes_its_mark_begins_to_delete(bench):
    made = full(bench)
    script = WIPE.replace("    from flyve", ROOT_FULL + "    from flyve", 1)
    made.write("/main.py", firmware.follow(script))
    fill_nvs(made)
    lines = bench.lines(made)
    assert "no room" in lines and "begun True" in lines
    assert lines[-3:-1] == WIPED or lines[-2:] == WIPED, lines
