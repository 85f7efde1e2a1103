"""A simulated Flyve MDM backend: GLPI's REST interface, its administrator, its broker and NTP."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyve_mdm.backend.options import Fault, Options
    from flyve_mdm.backend.server import Backend

__all__ = ["Backend", "Fault", "Options"]


def __getattr__(name: str) -> Any:
    # Loaded at first use: an administrator's command needs no server.
    if name == "Backend":
        from flyve_mdm.backend.server import Backend

        return Backend
    if name in __all__:
        from flyve_mdm.backend import options

        return getattr(options, name)
    raise AttributeError(name)
