"""An agent's place on the broker: what it may do there, what waits there for it, and its end."""

from __future__ import annotations

from flyve_mdm.backend.broker import Rights
from flyve_mdm.backend.model import Agent, Fleet
from flyve_mdm.backend.site import Site


def rights(agent: Agent, generation: str, fleet_topic: str | None = None) -> Rights:
    """What the broker lets an agent do."""
    topic = agent.topic
    slash = "/" if topic.startswith("/") else ""
    allowed = [
        ("write", f"{topic}/Status/#"),
        ("read", f"{topic}/Command/#"),
        ("write", f"{topic}/FlyvemdmManifest/#"),
        ("read", f"{slash}FlyvemdmManifest/#"),
    ]
    # The first generation told agents their fleets on a topic of its own.
    own = "Subscription" if generation == "A" else "Policy/#"
    allowed.append(("read", f"{topic}/{own}"))
    if fleet_topic:
        allowed.append(("read", f"{fleet_topic}/#"))
    return allowed


def fleet_topic(site: Site, fleet: Fleet) -> str:
    """The topic of a fleet."""
    return f"{site.slash}{fleet.entity}/fleet/{fleet.id}"


def tell_fleet(site: Site, agent: Agent, topic: str | None) -> None:
    """Tell an agent the topic of its fleet; None: it is in none."""
    name = "Subscription" if site.options.rules == "A" else "Command/Subscribe"
    site.publish(f"{agent.topic}/{name}", {"subscribe": [{"topic": topic}]}, True)


def welcome(site: Site, agent: Agent) -> None:
    """What enrollment leaves on the broker: an empty Unenroll, and no fleet."""
    _clean_topics(site, agent)
    tell_fleet(site, agent, None)


def purge(site: Site, agent: Agent) -> None:
    """Remove an agent with its account, its sessions and its place on the broker."""
    state = site.state
    with state.changed:
        if state.agents.pop(agent.id, None) is None:
            return
        agent.enroll_status = "unenrolled"
        agent.is_online = 0
        state.users.pop(agent.user_id, None)
        for token in [t for t, s in state.sessions.items() if s.user.id == agent.user_id]:
            del state.sessions[token]
        for row in [r for r in state.statuses.values() if r.agent_id == agent.id]:
            del state.statuses[row.id]
        for task in [t for t in state.tasks.values() if t.agent_id == agent.id]:
            del state.tasks[task.id]
        state.changed.notify_all()
    _clean_topics(site, agent)
    # Messages go before the account does, as with a broker that reads a database.
    site.flush()
    site.broker.remove_user(agent.serial)
    site.events.add("purged", agent=agent.id, topic=agent.topic)


def _clean_topics(site: Site, agent: Agent) -> None:
    """Clear retained commands: the real code forgets all but the last one, Unenroll."""
    names = ["Command/Unenroll"]
    if site.options.clean_retained:
        names = [f"Command/{n}" for n in ("Lock", "Wipe", "Subscribe", "Unenroll")]
    for name in names:
        site.publish(f"{agent.topic}/{name}", None, True)
