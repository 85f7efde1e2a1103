"""The plugin's policies: their ids, and which values they take."""

from __future__ import annotations

from typing import Any, NamedTuple

_BOOL = (
    "storageEncryption disableUnknownAppSources disableCamera disableWifi disableBluetooth "
    "disableRoaming disableGPS disableMobileLine disableNfc disableHostpotTethering "
    "disableAirplaneMode disableSpeakerphone disableUsbMtp disableUsbPtp disableUsbAdb "
    "disableStatusBar disableScreenCapture disableStreamMusic disableStreamRing "
    "disableStreamAlarm disableStreamNotification disableStreamAccessibility disableStreamDTMF "
    "disableStreamSystem"
).split()
_INT = (
    "passwordMinLength passwordMinLetters passwordMinLowerCase passwordMinNonLetter "
    "passwordMinNumeric passwordMinSymbols passwordMinUpperCase maximumFailedPasswordsForWipe "
    "maximumTimeToLock periodicGeolocation"
).split()
_QUALITY = "UNSPECIFIED SOMETHING NUMERIC ALPHABETIC ALPHANUMERIC COMPLEX".split()
_DROPDOWN = {
    "passwordEnabled": ("PASSWORD_NONE", "PASSWORD_PIN", "PASSWORD_PASSWD"),
    "passwordQuality": tuple(f"PASSWORD_QUALITY_{name}" for name in _QUALITY),
    "defaultStreamType": ("RINGER_MODE_NORMAL", "RINGER_MODE_SILENT", "RINGER_MODE_VIBRATE"),
}
_DEPLOYMENTS = {
    "deployApp": "deployapp",
    "removeApp": "removeapp",
    "deployFile": "deployfile",
    "removeFile": "removefile",
}


class Policy(NamedTuple):
    """One policy; `values` are those that a dropdown has."""

    id: int
    symbol: str
    type: str
    values: tuple[str, ...] = ()

    def takes(self, value: Any) -> bool:
        """Whether a plain policy may have this value."""
        text = str(int(value)) if isinstance(value, bool) else str(value)
        if self.type == "bool":
            return text in ("0", "1")
        if self.type == "int":
            return text.isdecimal()
        return text in self.values


def _numbered() -> dict[int, Policy]:
    kinds = [(symbol, kind, ()) for symbol, kind in _DEPLOYMENTS.items()]
    kinds += [(symbol, "bool", ()) for symbol in _BOOL]
    kinds += [(symbol, "int", ()) for symbol in _INT]
    kinds += [(symbol, "dropdown", values) for symbol, values in _DROPDOWN.items()]
    return {number: Policy(number, *kind) for number, kind in enumerate(kinds, 1)}


POLICIES = _numbered()
BY_SYMBOL = {policy.symbol: policy for policy in POLICIES.values()}
