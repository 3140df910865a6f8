"""Everybody in the lab who can speak SIP, made from the lab's own inventory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import hosts, secrets
from lab.driver.agents import Answer, Challenge, Pbx, Phone, Pop
from lab.driver.machine import DriverError, Machine
from lab.driver.scanner import Scanner
from lab.driver.server import Server
from lab.paths import MODEL, VAULT


@dataclass(frozen=True)
class Parties:
    """The parties of the lab's calls.

    Attributes:
        phone_102: of the context ``from-internal``; lives on the host of phone 101, on other ports.
        challenge: what the carrier asks of outbound calls, with the credentials it takes.
        model: the lab's variables (``pbx_*``), secrets left out.
    """

    pbx: Pbx
    server: Server
    phone_100: Phone
    phone_101: Phone
    phone_102: Phone
    ashburn: Pop
    umatilla: Pop
    carrier_two: Pop
    scanner: Scanner
    challenge: Challenge
    model: dict[str, Any]

    @property
    def phones(self) -> tuple[Phone, ...]:
        """The phones that are switched on during tests; 102 only places calls."""
        return (self.phone_100, self.phone_101)

    @property
    def carriers(self) -> tuple[Pop, ...]:
        """Every host that stands for a carrier."""
        return (self.ashburn, self.umatilla, self.carrier_two)

    def switch_on(self) -> None:
        """Register the phones; they and the carrier's first POP then answer every call."""
        for phone in self.phones:
            phone.switch_on()
        self.ashburn.listen(Answer(), self.challenge)

    def answer_every_call(self) -> None:
        """Undo what a test told them: phones and the first POP take calls, the others are silent."""
        for phone in self.phones:
            phone.listen(Answer())
        self.umatilla.silence()
        self.carrier_two.silence()
        self.ashburn.listen(Answer(), self.challenge)

    def close(self) -> None:
        """End every process the parties still run in the lab's hosts."""
        for party in (*self.phones, self.phone_102, *self.carriers):
            party.close()


def load_variables(*files: Path) -> dict[str, Any]:
    """The variables of YAML files, decrypted with the lab's key where they are encrypted; later files win.

    Raises:
        DriverError: a file is missing.
    """
    variables: dict[str, Any] = {}
    for file in files:
        if not file.exists():
            raise DriverError(f"{file} is missing: run `make up` first")
        variables |= yaml.safe_load(secrets.plain_text(file)) or {}
    return variables


@contextmanager
def parties() -> Iterator[Parties]:
    """The parties of the lab for the time of a with block.

    Raises:
        DriverError: the lab has no passwords yet, or a host is missing.
    """
    variables = load_variables(MODEL, VAULT)
    passwords = variables.pop("pbx_secrets")
    pbx = Pbx(variables["pbx_public_address"], variables["pbx_sip_port"])
    trunk = next(item for item in variables["pbx_trunks"] if item.get("termination_host"))
    second_phone = Machine(hosts.PHONE_101)
    everybody = Parties(
        pbx=pbx,
        server=Server(hosts.PBX),
        phone_100=Phone(Machine(hosts.PHONE_100), pbx, "100", passwords["100"]),
        phone_101=Phone(second_phone, pbx, "101", passwords["101"]),
        phone_102=Phone(second_phone, pbx, "102", passwords["102"], sip_port=5070, media_port=6100),
        ashburn=Pop(Machine(hosts.POP_ASHBURN), pbx),
        umatilla=Pop(Machine(hosts.POP_UMATILLA), pbx),
        carrier_two=Pop(Machine(hosts.CARRIER_TWO), pbx),
        scanner=Scanner(Machine(hosts.SCANNER), pbx),
        challenge=Challenge(trunk["auth_username"], passwords[trunk["name"]]),
        model=variables,
    )
    try:
        yield everybody
    finally:
        everybody.close()
