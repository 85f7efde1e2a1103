"""The board: the only importer of esp32, machine and network; jobs/nvs.py, jobs/board_facts.py and
jobs/wifi_join.py have what only some jobs need."""

import esp32
import machine
import network  # noqa: F401

_nvs = None
_wdt = None


def nvs():
    """What is kept in NVS, an esp32.NVS."""
    # Not at the import: an NVS that others have filled refuses a new namespace.
    global _nvs
    if _nvs is None:
        _nvs = esp32.NVS("flyve")
    return _nvs


def watchdog(ms):
    """Starts the hardware watchdog, or changes its time; it cannot be stopped."""
    global _wdt
    _wdt = machine.WDT(timeout=ms)


def feed():
    """Tells the watchdog that the agent is alive."""
    if _wdt:
        _wdt.feed()


def reset(wanted=False):
    """Restarts the board; wanted: boot.py, which cannot tell, is not to count it as a crash."""
    if wanted:
        try:
            try:
                crashes = nvs().get_i32("crashes")
            except OSError:
                crashes = 0  # there is no such number
            nvs().set_i32("crashes", crashes - 1)
            nvs().commit()
        except OSError:
            pass
    machine.reset()
