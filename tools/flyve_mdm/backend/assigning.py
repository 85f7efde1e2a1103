"""POST, PUT and DELETE PluginFlyvemdmTask: policies given to agents and fleets."""

from __future__ import annotations

from typing import Any

from flyve_mdm.backend.glpi import GlpiError
from flyve_mdm.backend.model import Agent, File, Fleet, Task
from flyve_mdm.backend.policies import BY_SYMBOL, POLICIES, Policy
from flyve_mdm.backend.site import Site
from flyve_mdm.backend.tasks import Tasks

ROOTS = ("%SDCARD%", "%DOCUMENTS%", "%PHOTOS%", "%MUSIC%")


def _refuse(message: str) -> GlpiError:
    return GlpiError(400, "ERROR_GLPI_ADD", message)


def add(site: Site, tasks: Tasks, fields: dict[str, Any]) -> Task:
    """Give a policy to an agent or a fleet; raises GlpiError."""
    with site.state.changed:
        target = _target(site, fields)
        policy = POLICIES.get(_number(fields["plugin_flyvemdm_policies_id"]))
        if policy is None:
            raise _refuse("Policy not found")
        value = fields.get("value") or ""
        item = _item(site, policy, fields)
        _check(policy, value)
        _check_alone(site, policy, value, item, target)
    return _give(tasks, policy, value, item, target)


def _number(value: Any) -> int:
    return int(value) if str(value).isdigit() else -1


def _target(site: Site, fields: dict[str, Any]) -> Agent | Fleet:
    # Tasks of agents exist since 2018-04-13.
    old = site.options.rules == "A"
    keys = ("plugin_flyvemdm_fleets_id",) if old else ("itemtype_applied", "items_id_applied")
    if any(fields.get(key) is None for key in ("plugin_flyvemdm_policies_id", *keys)):
        raise _refuse(f"{'Fleet' if old else 'Notifiable'} and policy must be specified")
    number = _number(fields[keys[-1]])
    if old or fields["itemtype_applied"] == "PluginFlyvemdmFleet":
        target = site.state.fleets.get(number)
        if target is not None and target.is_default:
            raise _refuse("Cannot apply a policy on a not managed fleet")
    elif fields["itemtype_applied"] == "PluginFlyvemdmAgent":
        target = site.state.agents.get(number)
    else:
        raise _refuse("This is not a notifiable object")
    if target is None:
        what = "target fleet" if old else "notifiable object"
        raise _refuse(f"Cannot find the {what}")
    return target


def _item(site: Site, policy: Policy, fields: dict[str, Any]) -> File | None:
    kinds = {
        "deployFile": ("PluginFlyvemdmFile", site.state.files, "file"),
        "deployApp": ("PluginFlyvemdmPackage", site.state.packages, "application"),
    }
    if policy.symbol not in kinds:
        return None
    itemtype, table, what = kinds[policy.symbol]
    item = table.get(_number(fields.get("items_id")))
    if fields.get("itemtype") != itemtype or item is None:
        raise _refuse(f"The {what} does not exists")
    return item


def _check(policy: Policy, value: Any) -> None:
    """Whether the policy takes this value; GLPI does not tell what is wrong with a plain one."""
    if policy.symbol in ("deployFile", "deployApp"):
        if not isinstance(value, dict) or value.get("remove_on_delete") not in (0, 1, "0", "1"):
            raise _refuse("The remove on delete flag is mandatory")
        if policy.symbol == "deployFile":
            check_destination(value.get("destination"))
    elif policy.symbol == "removeFile":
        if not value:
            raise _refuse("A destination is mandatory")
    elif policy.symbol == "removeApp":
        if not value:
            raise _refuse("An application ID is required")
    elif not policy.takes(value):
        raise _refuse("")


def check_destination(destination: Any) -> None:
    """Whether it is a folder that GLPI takes; raises GlpiError."""
    if not destination:
        raise _refuse("A destination is mandatory")
    text = str(destination)
    root, slash, _ = text.partition("/")
    if any(bad in text for bad in ("/../", "/./", "//")) or root not in ROOTS:
        raise _refuse("invalid base path")
    if not slash and text != root:
        raise _refuse("invalid base path")


def _check_alone(
    site: Site, policy: Policy, value: Any, item: File | None, target: Agent | Fleet
) -> None:
    """Whether the target has no such task yet: of a plain policy one at all."""
    for task in site.state.tasks.values():
        mine = target.id == (task.agent_id if isinstance(target, Agent) else task.fleet_id)
        if not mine or task.symbol != policy.symbol:
            continue
        held = task.value[task.symbol]
        if policy.symbol == "deployFile":
            same = task.item is item and held.rstrip("/") == value["destination"].rstrip("/")
        elif policy.symbol == "deployApp":
            same = task.item is item
        elif policy.symbol == "removeApp":
            same = held == value
        else:
            same = policy.symbol != "removeFile"  # of which it sees none
        if same:
            raise _refuse("Policy already applied")


def _give(
    tasks: Tasks, policy: Policy, value: Any, item: File | None, target: Agent | Fleet
) -> Task:
    if policy.symbol == "deployFile":
        task = tasks.deploy_file(target, item, value["destination"])
        task.remove_on_delete = int(value["remove_on_delete"])
    elif policy.symbol == "deployApp":
        task = tasks.deploy_app(target, item)
        task.remove_on_delete = int(value["remove_on_delete"])
    elif policy.symbol == "removeFile":
        task = tasks.remove_file(target, str(value))
    elif policy.symbol == "removeApp":
        task = tasks.remove_app(target, str(value))
    else:
        task = tasks.policy(target, policy.symbol, _plain(policy, value))
    return task


def _plain(policy: Policy, value: Any) -> Any:
    return str(int(value)) == "1" if policy.type == "bool" else value


def change(tasks: Tasks, task: Task, value: str | None) -> None:
    """Another value, or the same once more: published, and all statuses begin anew."""
    policy = BY_SYMBOL[task.symbol]
    if value is None or not policy.takes(value):
        raise GlpiError(400, "ERROR_GLPI_UPDATE", "Incorrect value for this policy")
    text = str(_plain(policy, value))
    task.value[task.symbol] = text.lower() if policy.type == "bool" else text
    tasks.again(task)


class PhpError(Exception):
    """The plugin's own code fails: HTTP 500, though the task is removed."""


def remove(site: Site, tasks: Tasks, task: Task) -> None:
    """Take a policy back, and what it brought if it says so; raises PhpError if it does not."""
    target = site.state.agents.get(task.agent_id) or site.state.fleets.get(task.fleet_id)
    tasks.remove_task(task)
    if task.symbol not in ("deployFile", "deployApp"):
        return
    if not task.remove_on_delete:
        raise PhpError
    if task.symbol == "deployFile":
        tasks.remove_file(target, task.value["deployFile"] + task.item.name)
    else:
        tasks.remove_app(target, task.item.package_name)
