"""Rules about ports: that they fit, and do not meet."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Fault, Model

HIGHEST_PORT = 65535


def port_faults(model: Model) -> Iterator[Fault]:
    if not model.is_read("pbx_rtp_ports"):
        return
    ports = model.rtp_ports
    written = f"{ports.first}-{ports.last}"
    if ports.first > ports.last:
        yield Fault(
            "pbx_rtp_ports",
            f"{written} ends before it begins",
            f"Write {{first: {ports.last - ports.last % 2}, last: {ports.first}}}",
        )
        return
    if ports.first % 2:
        yield Fault(
            "pbx_rtp_ports", f"first {ports.first} is odd", "Begin with an even port: media takes even ports"
        )
        return  # how many calls they carry is known once they begin right
    if model.is_read("pbx_sip_port") and ports.first <= model.sip_port <= ports.last:
        yield Fault("pbx_rtp_ports", f"{written} contains pbx_sip_port {model.sip_port}", "Move one of them")
    reserved = model.outbound.emergency.reserved_calls
    most = ports.calls(reserved)
    if model.is_read("pbx_max_calls", "pbx_outbound.emergency.reserved_calls") and model.max_calls > most:
        needed = 4 * (model.max_calls + reserved)
        kept = f" and {reserved} kept for emergency calls" if reserved else ""
        last = ports.first + ports.first % 2 + needed - 1
        ways = [f"lower it to {most}"] if most else []
        ways += [f"end pbx_rtp_ports at {last} or later"] if last <= HIGHEST_PORT else []
        yield Fault(
            "pbx_max_calls",
            f"{model.max_calls} calls{kept} need {needed} ports, {written} carries {most + reserved} calls",
            _sentence(", or ".join(ways) or "begin pbx_rtp_ports lower"),
        )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
