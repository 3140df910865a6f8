"""What a change of the configuration asks of a running Asterisk: reloads, a restart, or nothing.

Pure functions over ``{file name: content}`` mappings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import conf
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.conf import Section

Files = Mapping[str, str]

# Read once, at start. Compared by meaning, so that a new comment does not cost a restart.
RESTART_FILES = ("asterisk.conf", "modules.conf", "pjproject.conf", "stasis.conf")
# Sections of pjsip.conf that a reload skips (system) or may apply at the price of calls (transport).
RESTART_TYPES = ("system", "transport")

# In the order in which they are run: what calls refer to comes before what refers to it.
_RELOADS = (
    ("logger.conf", "logger reload"),
    ("acl.conf", "module reload acl"),
    ("ccss.conf", "module reload ccss"),
    ("cdr.conf", "module reload cdr"),
    ("cdr_custom.conf", "module reload cdr_custom.so"),
    ("cel.conf", "module reload cel"),
    ("cel_custom.conf", "module reload cel_custom.so"),
    ("codecs.conf", "module reload codecs"),
    ("confbridge.conf", "module reload app_confbridge.so"),
    ("features.conf", "module reload features"),
    ("http.conf", "module reload http"),
    ("indications.conf", "module reload indications"),
    ("manager.conf", "manager reload"),
    ("musiconhold.conf", "moh reload"),
    ("queues.conf", "module reload app_queue.so"),
    ("rtp.conf", "module reload res_rtp_asterisk.so"),
    ("udptl.conf", "module reload udptl"),
    ("voicemail.conf", "module reload app_voicemail.so"),
    ("pjsip.conf", "module reload res_pjsip.so"),
    ("pjsip_wizard.conf", "module reload res_pjsip.so"),
    ("extensions.conf", "dialplan reload"),
)
_COMMAND_OF = dict(_RELOADS)
# Console commands that Asterisk runs at each start. A change is brought without one by running them now.
STARTUP_FILE = "cli.conf"
_PACKET_LOGGER = "pjsip set logger"
# A file nobody knows: every module looks whether it is its own. Calls stay up.
_RELOAD_EVERYTHING = "module reload"


@dataclass(frozen=True)
class Activation:
    """What makes a running Asterisk use a release."""

    commands: tuple[str, ...] = ()
    restart_reasons: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.commands or self.restart_reasons)


@dataclass(frozen=True)
class PjsipObject:
    """The name of one PJSIP object."""

    kind: str
    name: str


def plan_activation(loaded: Iterable[Files], target: Files) -> Activation:
    """Plan the way from what Asterisk may have loaded to ``target``.

    :param loaded: usually the one live tree; more when an interrupted run left it open which one
        Asterisk has in memory, and then the plan covers each of them
    """
    commands: set[str] = set()
    at_once: tuple[str, ...] = ()
    reasons: dict[str, None] = {}
    for old in loaded:
        for name in changed_files(old, target):
            # A file that comes or goes has includers in one of the trees alone.
            trees = [tree for tree in (old, target) if name in tree]
            for root in frozenset().union(*(conf.roots(tree, name) for tree in trees)):
                if root in RESTART_FILES:
                    if _meaning(old, root) != _meaning(target, root):
                        reasons[f"{root} is read only at start"] = None
                elif root == STARTUP_FILE:
                    at_once = max(at_once, _startup_change(old, target), key=len)
                else:
                    commands.add(_COMMAND_OF.get(root, _RELOAD_EVERYTHING))
        reasons.update(dict.fromkeys(_restart_sections(old, target)))
    if _RELOAD_EVERYTHING in commands:
        # A second reload right behind it ran into the first: endpoints were gone, and once Asterisk itself.
        commands = {_RELOAD_EVERYTHING}
    order = [_RELOAD_EVERYTHING, *_COMMAND_OF.values()]
    return Activation((*sorted(commands, key=order.index), *at_once), tuple(reasons))


def startup_commands(files: Files) -> tuple[str, ...]:
    """Return the console commands of a tree that Asterisk runs at each start."""
    sections = conf.sections(files, STARTUP_FILE)
    return tuple(
        item.key
        for section in sections
        if section.name == "startup_commands"
        for item in section.items
        if item.value == "yes"
    )


def _startup_change(old: Files, target: Files) -> tuple[str, ...]:
    """Return the commands that bring other startup commands into effect, and end the packet logger."""
    before, after = startup_commands(old), startup_commands(target)
    if before == after:
        return ()
    logged = any(command.startswith(_PACKET_LOGGER) for command in before)
    return (*((f"{_PACKET_LOGGER} off",) if logged else ()), *after)


def changed_files(old: Files, new: Files) -> list[str]:
    """Return the sorted names of files that were added, removed or differ."""
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def changed_objects(loaded: Iterable[Files], target: Files) -> frozenset[PjsipObject]:
    """Return the PJSIP objects of ``target`` that are new or differ from any loaded tree.

    A wizard's section counts for every object it may stand for; those it does not make do no harm.
    """
    new = _pjsip_sections(target)
    changed = {
        name
        for old in map(_pjsip_sections, loaded)
        for name, section in new.items()
        if old.get(name) != section
    }
    found = set()
    for kind, name in changed:
        if kind == "wizard":
            found |= {PjsipObject("endpoint", name), PjsipObject("aor", name)}
            found |= {PjsipObject("auth", f"{name}-{role}") for role in ("iauth", "oauth")}
            found.add(PjsipObject("identify", f"{name}-identify"))
        else:
            found.add(PjsipObject(kind, name))
    return frozenset(found)


def _pjsip_sections(files: Files) -> dict[tuple[str, str], tuple[tuple[str, str], ...]]:
    both = (*conf.sections(files, "pjsip.conf"), *conf.sections(files, "pjsip_wizard.conf"))
    return {
        (section.get("type"), section.name): section.settings()
        for section in both
        if not section.is_template and section.get("type")
    }


def _restart_sections(old: Files, new: Files) -> list[str]:
    """Name the sections whose change only a restart can bring."""
    before, after = _by_name(old), _by_name(new)
    reasons = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            reasons.append(f"{_type_of(before[name])} {name!r} was removed")
        elif name not in before:
            reasons.append(f"{_type_of(after[name])} {name!r} is new")
        elif before[name].settings() != after[name].settings():
            keys = sorted({key for key, _ in set(before[name].settings()) ^ set(after[name].settings())})
            reasons.append(f"{_type_of(after[name])} {name!r} has another {', '.join(keys) or 'order'}")
    return reasons


def _by_name(files: Files) -> dict[str, Section]:
    found = conf.sections(files, "pjsip.conf")
    return {s.name: s for s in found if not s.is_template and s.get("type") in RESTART_TYPES}


def _type_of(section: Section) -> str:
    return section.get("type")


def _meaning(files: Files, root: str) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    return tuple((section.name, section.settings()) for section in conf.sections(files, root))
