"""The names of a site's objects in pjsip.conf, and the URIs of its carriers."""

from __future__ import annotations

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import (
    Extension,
    Model,
    Trunk,
)

_SIP_PORT = 5060


def sections(trunk: Trunk) -> list[str]:
    """Return the names of the trunk's sections in pjsip.conf, the endpoint's first."""
    names = [trunk.name]
    if trunk.identify_networks:
        names.append(f"{trunk.name}-identify")
    if trunk.has_credentials:
        names.append(f"{trunk.name}-auth")
    if trunk_contacts(trunk):
        names.append(f"{trunk.name}-aor")
    return names


def trunk_contacts(trunk: Trunk) -> list[str]:
    """Return the URIs to qualify: the declared ones and the route that calls really take."""
    dialled = [f"sip:{trunk.termination_host}"] if trunk.termination_host else []
    asked = [uri if ";transport=" in uri else uri + _by(trunk) for uri in (*trunk.contacts, *dialled)]
    return list(dict.fromkeys(asked))


def carrier_tcp_ports(model: Model) -> list[int]:
    """Return the ports where carriers take SIP over TCP."""
    asked = [uri for trunk in model.trunks for uri in trunk_contacts(trunk) if uri.endswith(";transport=tcp")]
    ports = [uri.partition(";")[0].rpartition(":")[2] for uri in asked]
    return sorted({int(port) if port.isdigit() else _SIP_PORT for port in ports})


def _by(trunk: Trunk) -> str:
    """Return the parameter of a URI that makes Asterisk reach it by the trunk's transport."""
    return ";transport=tcp" if trunk.transport == "tcp" else ""


def auth_names(model: Model, extension: Extension) -> list[str]:
    """Return the phone's auth objects; during an overlap the one of the former password comes second."""
    former = [f"{extension.number}-previous"] if extension.number in model.overlap else []
    return [f"{extension.number}-iauth", *former]
