"""One call each way through a deployed PBX: the last step of ``make up``."""

from __future__ import annotations

from lab.driver.agents import Answer, Talk
from lab.driver.audio import assert_two_way_audio
from lab.driver.capture import record
from lab.driver.machine import DriverError
from lab.driver.parties import parties

_CALLER = "+15550100100"
_OUTSIDE_NUMBER = "5551234567"


def place_inbound_call() -> str:
    """Let the carrier deliver a call to the first DID, answered by extension 100.

    Returns:
        One line for a person: who talked to whom, and the packets counted at both ends.

    Raises:
        DriverError: the call failed, or its audio did.
    """
    talk = Talk()
    with parties() as lab:
        did = lab.model["pbx_dids"][0]["number"]
        lab.phone_100.switch_on()
        with record(lab.ashburn.machine, lab.phone_100.machine) as recorded:
            result = lab.ashburn.call(did, talk, caller=_CALLER).wait()
        if result.status != 200:
            raise DriverError(f"the carrier called {did}: the PBX answered {result.status}, not 200")
        try:
            caller = recorded.of(lab.ashburn.machine).leg(result.call_id)
            callee = recorded.of(lab.phone_100.machine).leg_from(_CALLER)
            audio = assert_two_way_audio(caller, callee, talk.seconds)
        except AssertionError as error:
            raise DriverError(f"the call to {did} was answered, but {error}") from error
        return f"{did} rang {lab.phone_100.number}, {talk.codec.name}; {audio}"


def place_outbound_call() -> str:
    """Let extension 100 call a number in the outside world, answered by the carrier.

    Returns:
        One line for a person: who talked to whom, and the packets counted at both ends.

    Raises:
        DriverError: the call failed, or its audio or the digest did.
    """
    talk = Talk()
    with parties() as lab:
        outbound = lab.model["pbx_outbound"]
        dialled = f"{outbound['dial_prefix']}{outbound['country_code']}{_OUTSIDE_NUMBER}"
        lab.ashburn.listen(Answer(), lab.challenge)
        with record(lab.ashburn.machine, lab.phone_100.machine) as recorded:
            result = lab.phone_100.call(dialled, talk).wait()
        if result.status != 200:
            raise DriverError(f"extension 100 dialled {dialled}: the PBX answered {result.status}, not 200")
        try:
            caller = recorded.of(lab.phone_100.machine).leg(result.call_id)
            callee = recorded.of(lab.ashburn.machine).leg_from(outbound["caller_id_number"])
            assert lab.challenge.is_answered_by(callee.invites[-1]), "the trunk's digest is wrong"
            audio = assert_two_way_audio(caller, callee, talk.seconds)
        except AssertionError as error:
            raise DriverError(f"the call to {dialled} was answered, but {error}") from error
        answered = callee.invites[-1].uri
        return f"{lab.phone_100.number} dialled {dialled}, {answered} answered, {talk.codec.name}; {audio}"
