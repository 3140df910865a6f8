# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""What the sections of a site's other files may say."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.site.lines import Line

Found = Iterator[tuple[Line, str, str]]

# Options of a phone that keep the house safe, each with what looks after it.
KEPT = {
    "endpoint/allow": "codecs in pbx_extensions",
    "endpoint/allow_overlap": "nothing: a number is checked as a whole",
    "endpoint/aors": "the model",
    "endpoint/auth": "vault.yml",
    "endpoint/context": "context in pbx_extensions",
    "endpoint/direct_media": "nothing: media must pass the server, or bans and limits do not bind",
    "endpoint/disallow": "codecs in pbx_extensions",
    "endpoint/force_rport": "the model: answers go where the request came from",
    "endpoint/from_domain": "pbx_public_address",
    "endpoint/identify_by": "the model: the digest proves the phone",
    "endpoint/incoming_mwi_mailbox": "the model",
    "endpoint/media_address": "pbx_local_networks",
    "endpoint/message_context": "the model",
    "endpoint/outbound_auth": "vault.yml",
    "endpoint/outbound_proxy": "the model",
    "endpoint/redirect_method": "nothing: a phone that forwards would choose who pays",
    "endpoint/rewrite_contact": "the model: phones are called where they are",
    "endpoint/rtp_symmetric": "the model: audio passes a phone's NAT",
    "endpoint/set_var": "nothing: variables decide what a call may do",
    "endpoint/transport": "the model",
    "endpoint/trust_id_inbound": "nothing: a phone may not choose the number it shows",
    "aor/contact": "the registrar: a phone's Contact must be its own",
    "aor/max_contacts": "max_contacts in pbx_extensions",
    "aor/outbound_proxy": "the model",
    "aor/qualify_frequency": "qualify_seconds in pbx_extensions",
}
_PARTS = ("endpoint", "aor")

# What a site may load beside the modules of the model: they run no program and listen to nobody.
MODULES = (
    "app_confbridge app_controlplayback app_echo app_milliwatt app_page app_playtones app_queue app_read "
    "app_readexten app_sayunixtime app_senddtmf app_waitforsilence app_while bridge_softmix codec_g722 "
    "codec_resample format_wav func_db func_devstate func_math func_rand func_timeout"
).split()


def anything(model: Model, lines: list[Line]) -> Found:
    """Accept every line."""
    return iter(())


def confbridge(model: Model, lines: list[Line]) -> Found:
    """Refuse what writes calls to disk."""
    return _without(lines, ("record_conference", "record_file", "record_command"), "records calls")


def queues(model: Model, lines: list[Line]) -> Found:
    """Refuse members that are no extension of the model, and what writes calls to disk."""
    numbers = {extension.number for extension in model.extensions}
    for line in lines:
        name = line.value.split(",")[0].strip()
        if line.key == "member" and not (name.startswith("PJSIP/") and name[6:] in numbers):
            yield line, f"{name} is no extension of pbx_extensions", "Write member => PJSIP/<extension>"
        elif line.key in ("context", "setvar"):
            yield line, f"{line.key} would choose what a caller may dial", "Remove it"
    yield from _without(lines, ("monitor-format", "monitor-type"), "records calls")


def musiconhold(model: Model, lines: list[Line]) -> Found:
    """Refuse music that a program makes."""
    return _without(lines, ("application", "entry"), "runs a program, or fetches from a network")


def _without(lines: list[Line], keys: tuple[str, ...], why: str) -> Found:
    for line in lines:
        if line.key in keys or (line.key == "mode" and line.value == "custom"):
            yield line, f"{line.key} {why}", "Remove it"


def modules(model: Model, lines: list[Line]) -> Found:
    """Accept modules that neither run programs nor open the house."""
    for line in lines:
        name = line.value.removesuffix(".so")
        if line.is_header and line.section == "modules" and line.flags == ("+",):
            continue
        if line.is_header or line.key != "load":
            yield (
                line,
                f"{line.text} is not known here",
                "Write [modules](+), and below it load = <module>.so",
            )
        elif name not in MODULES:
            yield (
                line,
                f"{line.value} is not among the modules a site may load",
                f"Those are {', '.join(MODULES)}",
            )


def pjsip_wizard(model: Model, lines: list[Line]) -> Found:
    """Accept further options of the model's phones, those that keep the house safe left out."""
    numbers = {extension.number for extension in model.extensions}
    for line in lines:
        if line.is_header:
            if line.section not in numbers or line.flags != ("+",):
                yield (
                    line,
                    f"{line.text} is no further part of an extension",
                    f"Write [<extension>](+); extensions are {', '.join(sorted(numbers))}. More phones "
                    "belong into pbx_extensions, trunks into pbx_trunks",
                )
        elif line.key.partition("/")[0] not in _PARTS:
            yield line, f"{line.key} is no option of a phone", "Write endpoint/<option> or aor/<option>"
        elif line.key in KEPT:
            yield line, f"{line.key} is looked after by {KEPT[line.key]}", "Remove it, or change that"
