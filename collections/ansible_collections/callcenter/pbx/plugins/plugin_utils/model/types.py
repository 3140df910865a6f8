"""The numbering model: what is true of the site, as typed values.

`model_reading` builds these from the inventory's variables, `model_rules` checks them against each other,
`views` derives what templates and checks need.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NamedTuple

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.ranges import Range
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.reserved import (
    ABROAD_CONTEXT,
    SECOND_TRUNK_CONTEXT,
)

NORTH_AMERICA = "1"
"""The country code whose numbers are ten digits, the first of them 2 to 9."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong (or, as a warning, doubtful): which variable, what with which value, the remedy."""

    variable: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.problem}. {self.remedy}."


@dataclass(frozen=True)
class Report:
    """Everything found in one look at a model."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


@dataclass(frozen=True)
class RtpPorts:
    """The published UDP ports, both ends included. Media takes an even port, its RTCP the odd one above."""

    first: int
    last: int

    @property
    def last_odd(self) -> int:
        """The last port Asterisk may use: an even port needs its odd partner inside the range."""
        return self.last if self.last % 2 else self.last - 1

    @property
    def streams(self) -> int:
        """How many media streams fit."""
        first_even = self.first + self.first % 2
        return max(0, (self.last_odd - first_even + 1) // 2)

    def calls(self, reserved: int = 0) -> int:
        """How many calls with two legs fit beside the places kept for ``reserved`` emergency calls."""
        return max(0, self.streams // 2 - reserved)


@dataclass(frozen=True)
class Extension:
    """A phone: ``number`` names it everywhere; ``ring_seconds`` is how long it rings when dialled.

    The caller IDs are empty where those of the site are shown.
    ``media_networks``: where its audio comes from besides the address it registers from.
    ``networks``: where it may register and call from; empty for anywhere.
    ``max_ringing``: how many calls ring it at once, at most.
    ``qualify_seconds``: how often it is asked whether it is there; 0 is never.
    """

    number: str
    name: str
    context: str
    codecs: tuple[str, ...]
    max_contacts: int
    ring_seconds: int
    qualify_seconds: int
    caller_id_number: str = ""
    emergency_caller_id_number: str = ""
    media_networks: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    max_ringing: int = 4

    @property
    def may_call_abroad(self) -> bool:
        """Whether the class of the phone reaches ``abroad_prefixes``."""
        return self.context == ABROAD_CONTEXT


@dataclass(frozen=True)
class CatchAll:
    """Where any other number goes that starts with one of ``prefixes``."""

    prefixes: tuple[str, ...]
    extensions: tuple[str, ...]
    ring_seconds: int


@dataclass(frozen=True)
class Trunk:
    """A carrier: identified by source address alone; outbound only with a ``termination_host``.

    Without ``auth_username`` the carrier knows us by address alone. ``auth_realm``: whose challenges get an
    answer, empty for any. ``emergency``: may carry emergency calls. ``media_networks``: where more of its
    audio comes from than ``identify_networks``. ``max_calls``: how many may come in at once, None for as many
    as from all. ``accept_wide_networks``: ``identify_networks`` may be wider than the carrier publishes.
    ``inbound_token``: its calls name a secret in the URI they are sent to.
    """

    name: str
    context: str
    identify_networks: tuple[str, ...]
    contacts: tuple[str, ...]
    termination_host: str
    auth_username: str
    auth_realm: str
    transport: str
    emergency: bool
    codecs: tuple[str, ...]
    qualify_seconds: int
    catch_all: CatchAll | None
    media_networks: tuple[str, ...] = ()
    max_calls: int | None = None
    accept_wide_networks: bool = False
    inbound_token: bool = False

    @property
    def token_name(self) -> str:
        """The name that its inbound token goes by in ``pbx_secrets``."""
        return f"{self.name}-inbound"

    @property
    def has_credentials(self) -> bool:
        """Whether calls through it answer a challenge, so that it needs a password."""
        return bool(self.termination_host and self.auth_username)


@dataclass(frozen=True)
class Destination:
    """The extensions a DID rings when it arrives in ``context``, all at once."""

    context: str
    extensions: tuple[str, ...]
    ring_seconds: int
    dial_options: str


@dataclass(frozen=True)
class Did:
    """A public number in E.164 and where it leads, by inbound context."""

    number: str
    destinations: tuple[Destination, ...]


@dataclass(frozen=True)
class Emergency:
    """Emergency calls: ``numbers`` reach the authorities, ``test_numbers`` the carrier's read-back.

    ``reserved_calls``: how many find free media ports whatever else goes on; 0 while they are switched off.
    """

    enabled: bool
    numbers: tuple[str, ...]
    test_numbers: tuple[str, ...]
    caller_id_number: str
    reserved_calls: int


@dataclass(frozen=True)
class Outbound:
    """What extensions may dial outside and how it is presented; ``trunks`` are tried in this order.

    ``abroad_prefixes``: what phones of the context `from-internal` may dial besides ``allowed_prefixes``.
    ``reserved_calls``: how many of the site's calls carriers leave to its phones, whatever comes in.
    """

    trunks: tuple[str, ...]
    caller_id_number: str
    caller_id_name: str
    dial_prefix: str
    country_code: str
    international_prefix: str
    verified_numbers: tuple[str, ...]
    ring_seconds: int
    allowed_prefixes: tuple[str, ...]
    denied_prefixes: tuple[str, ...]
    abroad_prefixes: tuple[str, ...]
    max_minutes_per_day: int
    reserved_calls: int
    max_call_seconds: int
    max_calls: int
    max_calls_per_extension: int
    emergency: Emergency


@dataclass(frozen=True)
class Local:
    """Phones of ``networks`` reach the server by ``address`` and ``sip_port``, and are told that address."""

    networks: tuple[str, ...]
    address: str
    sip_port: int


class Listed(NamedTuple):
    """A blacklist entry: as written and as numbers."""

    text: str
    range: Range


@dataclass(frozen=True)
class BlockUrl:
    """A block list on the web; ``sha256`` is the checksum its content must have, or none."""

    url: str
    sha256: str


@dataclass(frozen=True)
class Model:
    """The whole site.

    ``overlap``: the extensions whose former password is accepted beside the new one; the passwords
    themselves are never part of the model. ``unread``: the places whose value was of no use, as
    ``pbx_trunks[0].name``. An item whose name was of no use has its place for a name.
    """

    public_address: IPv4Address | None
    sip_port: int
    local: Local
    rtp_ports: RtpPorts
    max_calls: int
    extensions: tuple[Extension, ...]
    trunks: tuple[Trunk, ...]
    dids: tuple[Did, ...]
    outbound: Outbound
    blacklist: tuple[Listed, ...]
    blacklist_files: tuple[str, ...]
    blacklist_urls: tuple[BlockUrl, ...]
    never_block: tuple[str, ...]
    allow_weak_passwords: bool
    allow_reserved_addresses: bool
    asymmetric_routes: bool
    sip_tcp: bool
    container_network: str
    overlap: tuple[str, ...]
    unread: frozenset[str]

    def is_read(self, *places: str) -> bool:
        """True when nothing at, in or around any of ``places`` was unreadable.

        ``pbx_trunks[].name`` is the name of every trunk.
        """
        unread = {_INDEX.sub("[]", place) for place in self.unread}
        return not any(_holds(place, one) or _holds(one, place) for place in places for one in unread)

    def trunk(self, name: str) -> Trunk | None:
        """Return the trunk of that name."""
        return next((trunk for trunk in self.trunks if trunk.name == name), None)

    @property
    def outbound_trunks(self) -> tuple[Trunk, ...]:
        """The trunks that calls leave through, in the order they are tried."""
        found = (self.trunk(name) for name in self.outbound.trunks)
        return tuple(trunk for trunk in found if trunk and trunk.termination_host)

    @property
    def emergency_trunks(self) -> tuple[Trunk, ...]:
        """The same for emergency calls, then every other trunk that has a way out."""
        everybody = dict.fromkeys([*self.outbound_trunks, *self.trunks])
        return tuple(trunk for trunk in everybody if trunk.termination_host and trunk.emergency)

    @property
    def max_inbound_calls(self) -> int:
        """How many calls carriers may bring in at once."""
        return max(0, self.max_calls - self.outbound.reserved_calls)

    @property
    def inbound_contexts(self) -> tuple[str, ...]:
        """Every context a carrier's call may arrive in, each once, in order of appearance."""
        found = [trunk.context for trunk in self.trunks]
        return tuple(dict.fromkeys([*found, SECOND_TRUNK_CONTEXT]))


_INDEX = re.compile(r"\[[0-9]+\]")


def _holds(outer: str, inner: str) -> bool:
    """True when ``inner`` is the place ``outer`` or within it."""
    return inner == outer or (inner.startswith(outer) and inner[len(outer)] in ".[")


def is_named(name: str) -> bool:
    """False for the stand-in of a name that could not be read."""
    return not name.startswith("pbx_")
