"""Files and applications for devices and fleets: uploads, and the tasks that bring them."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from flyve_mdm.glpi.errors import GlpiError, Refused
from flyve_mdm.glpi.session import Session
from flyve_mdm.glpi.tasks import Outcome, Target, assign, finish

_FILE, _PACKAGE = "PluginFlyvemdmFile", "PluginFlyvemdmPackage"


def deploy_file(
    session: Session, target: Target, data: bytes, name: str, destination: str, wait: float
) -> Outcome:
    """Send a file into a folder of a device."""
    _printable_by_php(name)
    session.enter(target.entity)
    # GLPI looks at the extension of the upload only; what the device gets is the other name.
    number = session.upload(_FILE, {"name": name}, _unique("zip"), data, f"the file {name}")
    # With 0 instead, version 2.0.0 of the plugin fails when somebody removes the task.
    value = {"destination": destination, "remove_on_delete": 1}
    with _kept_if_done(session, _FILE, number):
        task = assign(session, target, "deployFile", value, _FILE, number)
    return finish(session, target, task, wait)


def deploy_app(
    session: Session, target: Target, data: bytes, package: str, version_code: str, name: str,
    wait: float,
) -> Outcome:  # fmt: skip
    """Install an application on a device."""
    session.enter(target.entity)
    try:
        number = session.upload(_PACKAGE, {"alias": "app"}, _unique("apk"), data, f"{package}")
    except Refused as refused:
        if refused.code != "ERROR_GLPI_ADD" or refused.denied:
            raise
        raise GlpiError(
            f"{refused}: does GLPI take .apk files? The plugin's configuration page has a button "
            "that adds them to the document types"
        ) from None
    with _kept_if_done(session, _PACKAGE, number):
        # The plugin reads these out of an Android package; here they are given.
        session.update(
            _PACKAGE, number, package, package_name=package, version_code=version_code,
            version=version_code, dl_filename=name, parse_status="parsed",
        )  # fmt: skip
        if str(session.get(f"{_PACKAGE}/{number}")["package_name"]) != package:
            raise GlpiError(
                "not possible over REST: this version of the plugin takes a package's name out of "
                "an Android package only; use version 2.0, or deploy-file"
            )
        value = {"remove_on_delete": 1}
        task = assign(session, target, "deployApp", value, _PACKAGE, number)
    return finish(session, target, task, wait)


def remove_file(session: Session, target: Target, path: str, wait: float) -> Outcome:
    """Remove a file from a device."""
    return finish(session, target, assign(session, target, "removeFile", path), wait)


def remove_app(session: Session, target: Target, package: str, wait: float) -> Outcome:
    """Remove an application from a device."""
    return finish(session, target, assign(session, target, "removeApp", package), wait)


@contextlib.contextmanager
def _kept_if_done(session: Session, itemtype: str, number: int) -> Iterator[None]:
    """Removes what was uploaded when it gets no task."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(GlpiError):
            session.delete(itemtype, number)
        raise


def _unique(extension: str) -> str:
    """GLPI's folder for uploads may still hold another one of the same name, and takes that."""
    return f"{secrets.token_hex(8)}.{extension}"


def _printable_by_php(name: str) -> None:
    if '"' in name or "\\" in name:
        raise GlpiError(f"{name}: GLPI destroys quotes and backslashes in a name: take --name")
