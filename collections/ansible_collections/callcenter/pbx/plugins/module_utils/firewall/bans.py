# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""The sets beside the list: bans and known addresses, which others fill, and exempt or expected networks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.host import Host
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import (
    BANNED,
    EXPECTED,
    KNOWN,
    NEVER,
    STRAY,
    UNHEARD,
    Set,
    create_banned,
    create_known,
    create_stray,
    create_unheard,
    describe_set,
    fill_set,
    parse_set,
    plan_set,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.host.command import ENVIRONMENT
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import (
    Protected,
    parse_network,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.plain_list import (
    RESERVED,
    key_of,
    merge_keys,
    spell,
)

BANS_FILE = "bans"
"""The saved file that makes these sets at boot."""
ROOT_FILE = "root"
"""The saved file with the directory of the PBX, where `callcenter-known` finds its log and its contacts."""
KNOWN_PROGRAM = Path("/usr/local/sbin/callcenter-known")

_NETWORKS = ((4, NEVER), (6, NEVER), (4, EXPECTED))
_MADE = {
    **{name: create_banned(version) for version, name in BANNED.items()},
    **{name: create_known(version) for version, name in KNOWN.items()},
    **{name: create_unheard(version) for version, name in UNHEARD.items()},
    **{name: create_stray(version) for version, name in STRAY.items()},
}
"""How each set is made that others fill, by its name."""


@dataclass(frozen=True)
class BanSets:
    """The sets on a host beside the wanted ones.

    :param live: the sets of networks as they are, by name
    :param lacking: the names of the sets to be made that others fill
    :param members: the networks wanted, by the set's name
    :param saved: content of the files that make the sets at boot, by name
    """

    live: Mapping[str, Set]
    lacking: Sequence[str]
    members: Mapping[str, Sequence[str]]
    saved: Mapping[str, str]

    @property
    def input(self) -> str:
        """Return the standard input of ``ipset restore`` that puts them right, '' when they are."""
        lines = [_MADE[name] for name in self.lacking]
        lines += [
            plan_set(self.live[names[version]], version, self.members[names[version]], names)
            for version, names in _NETWORKS
        ]
        return "".join(lines)

    def refill(self) -> None:
        """Fill the set of known addresses if it was made just now, before a rule asks for it."""
        if set(self.lacking) & set(KNOWN.values()) and KNOWN_PROGRAM.exists():
            root = self.saved[ROOT_FILE].strip()
            subprocess.run([str(KNOWN_PROGRAM), "refill", root], check=False, env=ENVIRONMENT)

    def before(self) -> list[str]:
        """Spell the sets for a diff, without what others have put into them."""
        return self._describe(self.live, [name for name in _MADE if name not in self.lacking])

    def after(self) -> list[str]:
        """Spell the sets as they are going to be."""
        wanted = {name: Set(True, frozenset(group)) for name, group in self.members.items()}
        return self._describe(wanted, _MADE)

    def _describe(self, live: Mapping[str, Set], made: Iterable[str]) -> list[str]:
        lines = [f"ipset create {name} hash:ip" for name in made]
        for version, names in _NETWORKS:
            lines += describe_set(live[names[version]], version, names)
        return lines


def never_banned(protected: Iterable[Protected]) -> dict[int, list[str]]:
    """Return the networks no ban binds, as the kernel spells them, by IP version.

    Reserved networks are among them: nobody on the internet sends from there, and Docker takes its networks
    from the private ones, those it will make tomorrow included.
    """
    # A set of networks cannot hold the network of all addresses, nor need it: nobody protects the world.
    networks = [one.network for one in (*RESERVED, *protected) if one.network.length]
    return spell(
        {
            version: merge_keys((key_of(one) for one in networks if one.version == version), version)
            for version in NEVER
        }
    )


def plan_bans(host: Host, protected: Iterable[Protected], options: Mapping[str, Any]) -> BanSets:
    """Compare a host's sets with the wanted ones. Reads only.

    :param options: of the module `sip_firewall`
    """
    never = never_banned(protected)
    expected = [parse_network(text)[0] for text in options["expected_networks"]]
    members = {
        **{name: never[version] for version, name in NEVER.items()},
        EXPECTED[4]: spell({4: merge_keys(map(key_of, expected), 4)})[4],
    }
    saved = list(_MADE.values())
    saved += [fill_set(version, members[names[version]], names) for version, names in _NETWORKS]
    names_there = (host.output("ipset", "list", "-name") or "").split()
    live = {
        name: parse_set((host.output("ipset", "save", name) if name in names_there else "") or "")
        for name in members
    }
    return BanSets(
        live,
        [name for name in _MADE if name not in names_there],
        members,
        {BANS_FILE: "".join(saved), ROOT_FILE: f"{options['root_dir']}\n"},
    )
