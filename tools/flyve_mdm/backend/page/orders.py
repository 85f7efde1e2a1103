"""What a button or a form of the page does to a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile

from flyve_mdm import options
from flyve_mdm.backend.administration import Administration
from flyve_mdm.backend.assigning import ROOTS, check_destination
from flyve_mdm.backend.glpi import GlpiError
from flyve_mdm.backend.model import Agent
from flyve_mdm.backend.site import Site
from flyve_mdm.backend.tasks import Tasks
from flyve_mdm.build import application
from flyve_mdm.patience import stretched


@dataclass
class Note:
    """What became of an order."""

    text: str
    good: bool = True


class Wrong(ValueError):
    """A field of a form is to be mended."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass
class Question:
    """What is asked before an order that cannot be taken back."""

    title: str
    text: str
    button: str


QUESTIONS = {
    "unenroll": Question(
        "Unenroll {}?",
        "It erases the credentials of its enrollment and is no device of this backend any more. "
        "It keeps its network, and needs a new invitation to come back.",
        "Unenroll it",
    ),
    "wipe": Question(
        "Wipe {}?",
        "It erases all files, applications and secrets on the board. It does not answer, and "
        "stays in the list until it is deleted.",
        "Wipe it",
    ),
    "delete": Question(
        "Delete {}?",
        "The backend forgets it, whether it agrees or not. Use it for a board that is gone.",
        "Delete it",
    ),
}


class Orders:
    """By their names, as `flyve admin` has them; each takes the device and the form's fields."""

    def __init__(self, site: Site, admin: Administration, tasks: Tasks) -> None:
        self._site, self._admin, self._tasks = site, admin, tasks
        self._known: dict[str, Callable[[Agent, FormData], Note]] = {
            "ping": self._ping,
            "geolocate": self._geolocate,
            "inventory": self._inventory,
            "lock": lambda agent, _: self._lock(agent, unlock=False),
            "unlock": lambda agent, _: self._lock(agent, unlock=True),
            "fleet": self._fleet,
            "deploy-file": self._deploy_file,
            "deploy-app": self._deploy_app,
            "remove-file": self._remove_file,
            "remove-app": self._remove_app,
            "unenroll": self._unenroll,
            "wipe": self._wipe,
            "delete": self._delete,
        }

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def obey(self, name: str, agent: Agent, form: FormData) -> Note:
        """Do it, and wait for the device where it answers; raises Wrong."""
        return self._known[name](agent, form)

    @property
    def _wait(self) -> float:
        return self._site.options.answer_wait

    def _silent(self, agent: Agent) -> Note:
        late = f"did not answer within {stretched(self._wait):g} s: is it online?"
        return Note(f"{agent.serial} {late}", False)

    def _ping(self, agent: Agent, _: FormData) -> Note:
        if not self._admin.ping(agent, self._wait):
            return self._silent(agent)
        return Note(f"{agent.serial} answered the ping.")

    def _geolocate(self, agent: Agent, _: FormData) -> Note:
        place = self._admin.geolocate(agent, self._wait)
        if place is None:
            return self._silent(agent)
        if place["latitude"] == "na":
            return Note(f"{agent.serial} knows no position.", False)
        return Note(f"{agent.serial} is at {place['latitude']}, {place['longitude']}.")

    def _inventory(self, agent: Agent, _: FormData) -> Note:
        if not self._admin.inventory(agent, self._wait):
            return self._silent(agent)
        return Note(f"{agent.serial} sent its inventory.")

    def _lock(self, agent: Agent, unlock: bool) -> Note:
        word = "unlock" if unlock else "lock"
        if not self._admin.lock(agent, unlock):
            return Note(f"No {word} was sent: a wipe is ordered, which comes first.", False)
        return Note(f"The {word} was sent to {agent.serial}; it answers none.")

    def _fleet(self, agent: Agent, form: FormData) -> Note:
        name = str(form.get("fleet", "")).strip()
        fleet = self._admin.fleet(agent, _valid("fleet", options.line, name) if name else None)
        return Note(f"{agent.serial} is in the fleet {fleet.name}.")

    def _deploy_file(self, agent: Agent, form: FormData) -> Note:
        name, data = _upload(form, "file")
        destination = _text(form, "destination")
        try:
            check_destination(destination)
        except GlpiError:
            raise Wrong("destination", f"Write a folder below {' or '.join(ROOTS)}.") from None
        task = self._tasks.deploy_file(agent, data, destination, name)
        return _given(task.id, f"{name} goes to {agent.serial}")

    def _deploy_app(self, agent: Agent, form: FormData) -> Note:
        name, data = _upload(form, "app")
        package, code = _text(form, "package"), _text(form, "version_code")
        if not code.isdecimal():
            raise Wrong("version_code", "Write a number: a higher one replaces a lower one.")
        _valid("app", lambda _: application.check(data, name), "")
        task = self._tasks.deploy_app(agent, data, package, code, name)
        return _given(task.id, f"{package} goes to {agent.serial}")

    def _remove_file(self, agent: Agent, form: FormData) -> Note:
        path = _text(form, "path")
        return _given(self._tasks.remove_file(agent, path).id, f"{path} goes from {agent.serial}")

    def _remove_app(self, agent: Agent, form: FormData) -> Note:
        package = _text(form, "old_package")
        task = self._tasks.remove_app(agent, package)
        return _given(task.id, f"{package} goes from {agent.serial}")

    def _unenroll(self, agent: Agent, _: FormData) -> Note:
        if self._admin.unenroll(agent, self._wait):
            return Note(f"{agent.serial} is unenrolled.")
        late = f"did not answer within {stretched(self._wait):g} s, and does so when it is online"
        return Note(f"{agent.serial} {late}. A board that is gone can be deleted.", False)

    def _wipe(self, agent: Agent, _: FormData) -> Note:
        self._admin.wipe(agent)
        return Note(f"The wipe was sent to {agent.serial}; it answers none.")

    def _delete(self, agent: Agent, _: FormData) -> Note:
        self._admin.delete(agent)
        return Note(f"{agent.serial} is deleted.")


def _given(task: int, text: str) -> Note:
    return Note(f"{text}: task {task}.")


def _upload(form: FormData, field: str) -> tuple[str, bytes]:
    file = form.get(field)
    if not isinstance(file, UploadFile) or not file.filename:
        raise Wrong(field, "Choose a file.")
    return _valid(field, options.file_name, file.filename), file.file.read()


def _text(form: FormData, field: str) -> str:
    return _valid(field, options.named, str(form.get(field, "")).strip())


def _valid(field: str, check: Callable[[str], Any], text: str) -> Any:
    try:
        return check(text)
    except ValueError as error:
        said = str(error)
        raise Wrong(field, f"{said[:1].upper()}{said[1:]}.") from None
