"""The lab's networks and hosts: the only place where their names and addresses are written.

No address of a real carrier occurs here. 198.18.0.0/15 is reserved for benchmarks between network
devices (RFC 2544), so it collides with nobody's LAN; 2001:2::/48 is the same for IPv6 (RFC 5180).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

Kind = Literal["server", "sip"]

TERMINATION_HOST = "nlpbay.pstn.ashburn.twilio.com"
SERVER_USER = "deploy"
CAREFUL_USER = "sysadmin"
"""Of whom the server's sudo wants a password."""
NAMES = "/var/lib/lab/names"
"""The names that the lab's DNS knows, as a hosts file; it reads it again after a SIGHUP to process 1."""


@dataclass(frozen=True)
class Network:
    """A Docker network. ``internal`` means that nothing leaves it; ``subnet6`` '' that it has no IPv6."""

    name: str
    subnet: str
    gateway: str
    internal: bool
    subnet6: str = ""


@dataclass(frozen=True)
class Host:
    """A container with a fixed address on the SIP network.

    ``kind`` names the image below ``lab/images``; ``command`` replaces the image's own if not empty;
    ``memory_mib`` 0 is no limit; ``in_the_cloud``: on the cloud's network, behind its NAT.
    """

    name: str
    address: str
    kind: Kind
    purpose: str
    command: tuple[str, ...] = ()
    memory_mib: int = 0
    in_the_cloud: bool = False

    @property
    def address6(self) -> str:
        """The same host by IPv6: the last two numbers of its address, read as digits."""
        third, fourth = IPv4Address(self.address).packed[2:]
        return f"2001:2::{third}:{fourth}"


SIP_NETWORK = Network("lab-sip", "198.18.0.0/16", "198.18.0.1", internal=True, subnet6="2001:2::/64")
PACKAGES_NETWORK = Network("lab-packages", "198.19.0.0/24", "198.19.0.1", internal=False)
NETWORKS = (SIP_NETWORK, PACKAGES_NETWORK)

PBX = Host("lab-pbx", "198.18.0.10", "server", "the server that becomes the PBX")

_POP_ASHBURN_ADDRESS = "198.18.60.1"
POP_ASHBURN = Host(
    "lab-pop-ashburn",
    _POP_ASHBURN_ADDRESS,
    "sip",
    "the carrier's first POP, and its DNS",
    # Knows the termination host and refuses every other name: no query ever leaves the lab.
    command=(
        "sh",
        "-c",
        f"mkdir -p $(dirname {NAMES}) && echo {_POP_ASHBURN_ADDRESS} {TERMINATION_HOST} > {NAMES}"
        " && exec dnsmasq"
        " --keep-in-foreground --conf-file=/dev/null --user=root --no-resolv --no-hosts --no-round-robin"
        f" --local=/{TERMINATION_HOST}/ --addn-hosts={NAMES} --log-facility=-",
    ),
)
POP_UMATILLA = Host("lab-pop-umatilla", "198.18.51.1", "sip", "the carrier's second POP")
CARRIER_TWO = Host("lab-carrier-two", "198.18.70.1", "sip", "a second carrier (from-pstn)")
PHONE_100 = Host("lab-phone-100", "198.18.100.100", "sip", "the phone of extension 100")
PHONE_101 = Host("lab-phone-101", "198.18.100.101", "sip", "the phone of extension 101")
SCANNER = Host("lab-scanner", "198.18.99.9", "sip", "an attacker")

# --- The same server in a cloud: a private address, and a NAT in front that has the public one ---

CLOUD_NETWORK = Network("lab-cloud", "10.213.0.0/24", "10.213.0.1", internal=False)
CLOUD_PBX = Host(
    PBX.name, "10.213.0.5", "server", "the server, in a cloud", memory_mib=1024, in_the_cloud=True
)
NAT_INSIDE = "10.213.0.2"
NAT = Host(
    "lab-nat",
    PBX.address,
    "sip",
    "the cloud's NAT, one address to one server",
    command=(
        "sh",
        "-c",
        f"iptables -t nat -A PREROUTING -d {PBX.address} -j DNAT --to-destination {CLOUD_PBX.address}"
        f" && iptables -t nat -A POSTROUTING -s {CLOUD_PBX.address} -d {SIP_NETWORK.subnet}"
        f" -j SNAT --to-source {PBX.address} && exec sleep infinity",
    ),
)

HOSTS = (PBX, POP_ASHBURN, POP_UMATILLA, CARRIER_TWO, PHONE_100, PHONE_101, SCANNER)

CLOUD_HOSTS = (NAT, CLOUD_PBX, *HOSTS[1:])


def host(name: str) -> Host:
    """Return the host called ``name``.

    Raises:
        KeyError: no host of the lab has that name.
    """
    return {item.name: item for item in HOSTS}[name]
