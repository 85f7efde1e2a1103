"""Files, applications and policies that an administrator gives to agents or fleets."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from flyve_mdm.backend.administration import Administration
from flyve_mdm.backend.membership import fleet_topic
from flyve_mdm.backend.model import Agent, File, Fleet, Task
from flyve_mdm.backend.site import Site
from flyve_mdm.backend.statuses import FINAL

Target = "Agent | Fleet | int | str"


class Tasks:
    """What is deployed; a target is a Fleet, or what names an agent."""

    def __init__(self, site: Site, admin: Administration) -> None:
        self._site, self._admin = site, admin

    def add_file(self, data: bytes, name: str) -> File:
        """Upload a file."""
        return self._site.state.add("files", File, name=name, data=data)

    def add_package(self, data: bytes, package: str, name: str, version_code: str = "1") -> File:
        """Upload an application."""
        return self._site.state.add(
            "packages", File, name=name, data=data, package_name=package,
            version_code=version_code,
        )  # fmt: skip

    def update_file(self, file: File, data: bytes) -> None:
        """Replace the bytes: version + 1, and every task of it starts again."""
        with self._site.state.changed:
            file.data, file.version, file.modified = data, file.version + 1, time.time()
        self.redeploy(file)

    def redeploy(self, item: File) -> None:
        """Begin each task of a file or an application anew, with the version that it has now."""
        for task in [task for task in self._site.state.tasks.values() if task.item is item]:
            if "version" in task.value:
                task.value["version"] = str(item.version)
            if "versionCode" in task.value:
                task.value |= {"deployApp": item.package_name, "versionCode": item.version_code}
            self.again(task)

    def deploy_file(
        self,
        target: Target,
        source: bytes | str | Path | File,
        destination: str = "%SDCARD%/",
        name: str | None = None,
    ) -> Task:
        """Deploy a file into a directory; `source`: bytes, a path, or what add_file returned."""
        file = source
        if not isinstance(file, File):
            data = source if isinstance(source, bytes) else Path(source).read_bytes()
            file = self.add_file(
                data, name or ("file.bin" if isinstance(source, bytes) else Path(source).name)
            )
        if not destination.endswith("/"):
            destination += "/"
        value = {"deployFile": destination, "id": str(file.id), "version": str(file.version)}
        return self._apply(target, "deployFile", value, "file", file)

    def remove_file(self, target: Target, path: str) -> Task:
        """Remove a file by its full path, e.g. %SDCARD%/dir/name.ext."""
        return self._apply(target, "removeFile", {"removeFile": path}, "file")

    def deploy_app(
        self,
        target: Target,
        source: bytes | str | Path | File,
        package: str = "",
        version_code: str = "1",
        name: str | None = None,
    ) -> Task:
        """Deploy an application; `source` as for deploy_file."""
        item = source
        if not isinstance(item, File):
            data = source if isinstance(source, bytes) else Path(source).read_bytes()
            item = self.add_package(
                data,
                package,
                name or (f"{package}.upk" if isinstance(source, bytes) else Path(source).name),
                version_code,
            )
        value = {
            "deployApp": item.package_name,
            "id": str(item.id),
            "versionCode": item.version_code,
        }
        return self._apply(target, "deployApp", value, "application", item)

    def remove_app(self, target: Target, package: str) -> Task:
        """Remove an application by its package name."""
        return self._apply(target, "removeApp", {"removeApp": package}, "application")

    def policy(self, target: Target, symbol: str, value: Any) -> Task:
        """Apply any other policy; booleans and numbers travel as strings."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return self._apply(target, symbol, {symbol: text}, "policies")

    def stale_task(self, agent: Agent | int | str, symbol: str, value: dict) -> int:
        """Leave on the broker what the real backend leaves there of a former agent of the same
        serial: a retained task of which it knows nothing any more. Returns its id."""
        with self._site.state.changed:
            task = self._site.state.add("tasks", Task, symbol=symbol, value=value, group="")
            del self._site.state.tasks[task.id]
        topic = f"{self._admin.agent(agent).topic}/Policy/{symbol}/Task/{task.id}"
        self._site.publish(topic, {symbol: "", **value, "taskId": task.id}, True)
        return task.id

    def remove_task(self, task: Task) -> None:
        """Take a policy back: v2.0.0 sends an empty message, develop the value "default"."""
        with self._site.state.changed:
            self._site.state.tasks.pop(task.id, None)
            for row in [r for r in self._site.state.statuses.values() if r.task_id == task.id]:
                del self._site.state.statuses[row.id]
            self._site.state.changed.notify_all()
        if self._site.options.rules == "A":
            self._publish_group(task)
        elif self._site.options.develop:
            payload = {task.symbol: "default", "taskId": str(task.id)}
            self._site.publish(self._task_topic(task), payload, True)
        else:
            self._site.publish(self._task_topic(task), None, True)

    def again(self, task: Task) -> None:
        """Publish a task once more; all its statuses begin anew."""
        with self._site.state.changed:
            for row in self._site.state.statuses.values():
                if row.task_id == task.id:
                    row.status = "pending"
                    row.history.append("pending")
        self._publish_task(task)

    def wait_task(self, task: Task, wait: float, agent: Agent | None = None) -> str:
        """Wait for a final status of one agent (the first target); returns the last one seen."""
        found = agent or (self._site.state.targets(task) or [None])[0]
        if found is None:
            return "no agent"
        row = self._site.state.status_of(task, found)
        self._site.state.wait_for(lambda: row.status in FINAL, wait)
        return row.status

    def _apply(
        self,
        target: Target,
        symbol: str,
        value: dict[str, Any],
        group: str,
        item: File | None = None,
    ) -> Task:
        fleet = target if isinstance(target, Fleet) else None
        agent = None if fleet else self._admin.agent(target)
        if agent and self._site.options.rules == "A":
            # The first generation knows policies of fleets only.
            fleet = self._site.state.fleets[agent.fleet_id]
            if fleet.is_default:
                fleet = self._admin.fleet(agent, f"fleet of {agent.serial}")
            agent = None
        with self._site.state.changed:
            task = self._site.state.add(
                "tasks", Task, symbol=symbol, value=value, group=group, item=item,
                agent_id=agent.id if agent else None, fleet_id=fleet.id if fleet else None,
            )  # fmt: skip
            for one in self._site.state.targets(task):
                self._site.state.status_of(task, one)
        self._site.events.add("task created", task=task.id, symbol=symbol)
        self._publish_task(task)
        return task

    def _publish_task(self, task: Task) -> None:
        if self._site.options.rules == "A":
            self._publish_group(task)
        else:
            payload = {**task.value, "taskId": task.id}
            self._site.publish(self._task_topic(task), payload, True)

    def _publish_group(self, task: Task) -> None:
        """Generation A: one message holds all policies of a group of a fleet."""
        rows = [
            {**other.value, "taskId": str(other.id)}
            for other in self._site.state.tasks.values()
            if other.fleet_id == task.fleet_id and other.group == task.group
        ]
        topic = f"{fleet_topic(self._site, self._site.state.fleets[task.fleet_id])}/{task.group}"
        self._site.publish(topic, {task.group: rows}, True)

    def _task_topic(self, task: Task) -> str:
        if task.agent_id is not None:
            base = self._site.state.agents[task.agent_id].topic
        else:
            base = fleet_topic(self._site, self._site.state.fleets[task.fleet_id])
        return f"{base}/Policy/{task.symbol}/Task/{task.id}"
