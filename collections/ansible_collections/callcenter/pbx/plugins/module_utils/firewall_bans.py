# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""The sets of automatic bans: made once and never emptied here, and the networks no ban ever binds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.callcenter.pbx.plugins.module_utils import firewall
from ansible_collections.callcenter.pbx.plugins.module_utils.block_list import (
    RESERVED,
    key_of,
    merge_keys,
    spell,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall_networks import Protected
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall_server import Host

BANS_FILE = "bans"
"""The saved file that makes these sets at boot."""


@dataclass(frozen=True)
class BanSets:
    """The sets on a host beside the wanted ones.

    :param never: the sets of protected networks as they are, by IP version
    :param lacking: the IP versions without a set of bans
    :param members: the protected networks, by IP version
    :param saved: content of the file that makes the sets at boot, by its name
    """

    never: Mapping[int, firewall.Set]
    lacking: Sequence[int]
    members: Mapping[int, Sequence[str]]
    saved: Mapping[str, str]

    @property
    def input(self) -> str:
        """Return the standard input of ``ipset restore`` that puts them right, '' when they are."""
        lines = [firewall.create_banned(version) for version in self.lacking]
        lines += [
            firewall.plan_set(self.never[version], version, members, firewall.NEVER)
            for version, members in self.members.items()
        ]
        return "".join(lines)

    def before(self) -> list[str]:
        """Spell the sets for a diff, without the bans themselves."""
        return self._describe(self.never, [one for one in firewall.BANNED if one not in self.lacking])

    def after(self) -> list[str]:
        """Spell the sets as they are going to be."""
        wanted = {
            version: firewall.Set(True, frozenset(members)) for version, members in self.members.items()
        }
        return self._describe(wanted, firewall.BANNED)

    def _describe(self, never: Mapping[int, firewall.Set], banned: Iterable[int]) -> list[str]:
        lines = [f"ipset create {firewall.BANNED[version]} hash:ip" for version in banned]
        for version, one in never.items():
            lines += firewall.describe_set(one, version, firewall.NEVER)
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
            for version in firewall.NEVER
        }
    )


def plan_bans(host: Host, protected: Iterable[Protected]) -> BanSets:
    """Compare a host's sets with the wanted ones. Reads only."""
    members = never_banned(protected)
    saved = [firewall.create_banned(version) for version in firewall.BANNED]
    saved += [firewall.fill_set(version, group, firewall.NEVER) for version, group in members.items()]
    names = (host.output("ipset", "list", "-name") or "").split()
    never = {
        version: firewall.parse_set((host.output("ipset", "save", name) if name in names else "") or "")
        for version, name in firewall.NEVER.items()
    }
    return BanSets(
        never,
        [version for version, name in firewall.BANNED.items() if name not in names],
        members,
        {BANS_FILE: "".join(saved)},
    )
