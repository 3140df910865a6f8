"""The phone sheet: one extension's settings for a softphone, as a single HTML file to print or to show.

Works on the controller only, where Jinja2 and segno are. A sheet is the same whenever it is rendered from the
same values, so that comparing contents tells whether it has to be written again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import segno
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.reader import CODECS
from jinja2 import Environment, StrictUndefined, Template

MARKER = (
    "<!doctype html>\n<!-- Phone sheet of callcenter.pbx. Holds a password. Every run writes it again. -->\n"
)
"""How every sheet begins, and how a file is known to be one."""

SIP_PORT = 5060
"""The port every softphone assumes when none is written."""

REGISTRATION_SECONDS = 600
"""What a phone should ask for; pjsip_wizard.conf grants what lies within its limits."""

_TEMPLATE_FILE = Path(__file__).with_name("sheet.html.j2")
_NUMBER = re.compile(r"[0-9]{2,6}")
_GROUP = 4
_CODECS = {
    "ulaw": {"name": "PCMU", "also": "G.711 µ-law"},
    "alaw": {"name": "PCMA", "also": "G.711 A-law"},
}


class SheetError(Exception):
    """A sheet cannot be made. The message names the extension and the remedy, never a password."""


@dataclass(frozen=True)
class Phone:
    """What one sheet is about. ``codecs`` are Asterisk's names, the preferred one first."""

    number: str
    name: str
    password: str = field(repr=False)
    codecs: tuple[str, ...] = CODECS
    max_contacts: int = 1


@dataclass(frozen=True)
class LocalServer:
    """Where phones of the server's own networks register: an IPv4 address of these, and one port for UDP."""

    networks: tuple[str, ...]
    address: str
    sip_port: int

    @property
    def host(self) -> str:
        """The address as typed into one field."""
        return f"{self.address}:{self.sip_port}"


@dataclass(frozen=True)
class Server:
    """Where phones register: an IPv4 address, and one port for UDP and TCP."""

    address: str
    sip_port: int
    local: LocalServer | None = None

    @property
    def host(self) -> str:
        """The address as typed into one field: with the port only where it is not SIP's own."""
        return self.address if self.sip_port == SIP_PORT else f"{self.address}:{self.sip_port}"


def read_phones(extensions: Iterable[Mapping[str, Any]], secrets: object) -> tuple[Phone, ...]:
    """Return the phones of ``extensions``, items as in ``pbx_extensions``, with their passwords.

    Raises SheetError for a number that is none (it becomes a file name) and for a missing password.
    """
    if not isinstance(secrets, Mapping):
        raise SheetError(
            "secrets is a mapping of extension number to password: `secrets: '{{ pbx_secrets }}'`"
        )
    phones = []
    for extension in extensions:
        number = str(extension.get("number"))
        if not _NUMBER.fullmatch(number):
            raise SheetError(f"extension {number!r} is not a number of 2 to 6 digits")
        if not secrets.get(number):
            raise SheetError(f"extension {number} has no password: add it to pbx_secrets in vault.yml")
        phones.append(
            Phone(
                number=number,
                name=str(extension.get("name") or number),
                password=str(secrets[number]),
                codecs=tuple(str(codec) for codec in extension.get("codecs") or CODECS),
                max_contacts=int(extension.get("max_contacts") or 1),
            )
        )
    return tuple(phones)


def render_sheet(phone: Phone, server: Server) -> str:
    """Return the sheet as HTML. Nothing in it depends on when or where it is rendered."""
    return MARKER + _template().render(
        phone=phone,
        server=server,
        codecs=[_CODECS[codec] for codec in phone.codecs],
        default_port=server.sip_port == SIP_PORT,
        registration_seconds=REGISTRATION_SECONDS,
        password_groups=_groups(phone.password),
        qr_code=_qr_code(phone.password),
    )


def _groups(text: str) -> list[str]:
    """Return ``text`` in pieces that are easy to type; none where a gap could be taken for a blank."""
    if any(character.isspace() for character in text):
        return []
    return [text[start : start + _GROUP] for start in range(0, len(text), _GROUP)]


def _qr_code(text: str) -> str:
    """Return ``text`` as a QR code in SVG, to be embedded in HTML.

    Level Q still reads with a quarter of it soiled or creased. No scheme and no label before the password:
    what the camera offers to copy can then be pasted as it is.
    """
    # Without being told the encoding, readers guess at anything beyond ASCII.
    code = segno.make_qr(text, error="q", encoding="utf-8", eci=not text.isascii())
    return code.svg_inline(border=4, omitsize=True, svgclass=None, lineclass=None)


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_TEMPLATE_FILE.read_text(encoding="utf-8"))
