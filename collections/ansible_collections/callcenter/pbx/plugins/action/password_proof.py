# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Prove on the controller which passwords the PBX accepts and refuses. The server is asked by SIP only."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip.options import (
    SipNoAnswer,
    SipUnreachable,
    bracketed,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip.proof import (
    Unproven,
    failure,
    judge,
    read_wishes,
    success,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip.register import try_credentials


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/password_proof.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    _VALID_ARGS = frozenset({"address", "sip_port", "accepted", "refused", "answer_seconds"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make the exchanges, and fail with every extension that answered otherwise."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        result.update(changed=False, unproven=[])
        args = self._task.args
        try:
            # Not by an argument spec: its errors would show the values, which are passwords.
            wishes = read_wishes(args.get("accepted", {}), args.get("refused", {}))
            address, port, seconds = _server(args)
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from None
        if self._task.check_mode:
            return {**result, "msg": "Not asked: in check mode the PBX has not been given these passwords."}
        server, started = f"{bracketed(address)}:{port}", time.monotonic()
        try:
            answers = try_credentials(address, port, [wish.credential for wish in wishes], seconds)
        except SipNoAnswer as error:
            remedy = "Is the PBX running, and may this machine reach its SIP port (firewall, ban)?"
            return {**result, "failed": True, "msg": f"{error}. {remedy}"}
        except (SipUnreachable, ValueError) as error:
            return {**result, "failed": True, "msg": f"{error}."}
        unproven = judge(wishes, answers)
        if unproven:
            return {
                **result,
                "failed": True,
                "msg": failure(unproven, len(wishes), server),
                "unproven": [_shown(one) for one in unproven],
            }
        return {**result, "msg": success(wishes, server, time.monotonic() - started)}


def _server(args: dict[str, Any]) -> tuple[str, int, float]:
    """Address, port and patience, or ValueError."""
    address = args.get("address")
    if not isinstance(address, str) or not address:
        raise ValueError("address is missing: the address phones reach the PBX at")
    try:
        port, seconds = int(args.get("sip_port", 5060)), float(args.get("answer_seconds", 5))
    except (TypeError, ValueError):
        raise ValueError("sip_port and answer_seconds are numbers") from None
    if not 0 < port < 65536 or not 0 < seconds < float("inf"):
        raise ValueError(f"sip_port is 1 to 65535 and answer_seconds more than 0, not {port} and {seconds:g}")
    return str(address), port, seconds


def _shown(one: Unproven) -> dict[str, str]:
    """An unproven extension as a mapping; no password in it."""
    return {"number": one.number, "expected": one.expected.value, "came": one.answer.text}
