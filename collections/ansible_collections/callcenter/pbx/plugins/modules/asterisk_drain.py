#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Let the calls of a running Asterisk end while it refuses new ones, or let it take calls again."""

from __future__ import annotations

DOCUMENTATION = r"""
module: asterisk_drain
short_description: Refuse new calls and wait until the running ones have ended
description:
  - Puts every PJSIP endpoint of the Asterisk in a container into maintenance, so that new calls are answered
    with 503 (which makes a carrier try its next target) and running ones go on.
  - Then waits until no channel is open, or until the time is over.
  - A restart ends the maintenance. Without one, use O(state=resumed).
  - A container that does not run has no calls; that is no error.
options:
  container:
    description: Name of the container.
    type: str
    default: callcenter-asterisk
  state:
    description: Whether calls are to end, or to be taken again.
    type: str
    choices: [drained, resumed]
    default: drained
  seconds:
    description: How long to wait for running calls. The module does not fail when it was not long enough.
    type: int
    default: 300
attributes:
  check_mode:
    description: Reports the calls that would be waited for, and lets them be.
    support: full
  diff_mode:
    description: There is no configuration to compare.
    support: none
  idempotent:
    description: Draining a drained Asterisk again changes nothing.
    support: full
author:
  - Call centre maintainers
"""

EXAMPLES = r"""
- name: Let the running calls end
  callcenter.pbx.asterisk_drain:
    seconds: 120

- name: Take calls again
  callcenter.pbx.asterisk_drain:
    state: resumed
"""

RETURN = r"""
channels:
  description: Channels that are still open (a call between two parties has two).
  returned: success
  type: int
waited_seconds:
  description: How long the running calls were waited for.
  returned: success
  type: int
msg:
  description: What happened, in one sentence.
  returned: always
  type: str
  sample: New calls are refused; the last running call ended after 12 s.
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import (
    AsteriskCli,
    AsteriskSilent,
    Drained,
    running_container,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import DockerEngine, DockerError


def drained_message(result: Drained) -> str:
    """Say how a drain ended."""
    if result.channels:
        return f"New calls are refused; {result.channels} channels are still open after {result.seconds} s."
    return f"New calls are refused; no channel is open after {result.seconds} s."


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str", "default": "callcenter-asterisk"},
            "state": {"type": "str", "choices": ["drained", "resumed"], "default": "drained"},
            "seconds": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    engine = DockerEngine()
    cli = AsteriskCli(engine, wanted["container"])
    try:
        if not running_container(engine, wanted["container"]):
            module.exit_json(
                changed=False,
                channels=0,
                waited_seconds=0,
                msg=f"{wanted['container']} does not run: there are no calls.",
            )
        drains = wanted["state"] == "drained"
        in_place = cli.is_drained() if drains else cli.is_resumed()
        if module.check_mode or (in_place and not drains):
            channels = cli.channels()
            module.exit_json(
                changed=not in_place,
                channels=channels,
                waited_seconds=0,
                msg=f"{channels} channels are open.",
            )
        if drains:
            result = cli.drain(wanted["seconds"])
            message = drained_message(result)
        else:
            cli.resume()
            result = Drained(cli.channels(), 0)
            message = "New calls are taken again."
    except (AsteriskSilent, DockerError) as error:
        module.fail_json(
            msg=f"Asterisk in {wanted['container']} could not be drained: {error}. "
            f"See `docker logs {wanted['container']}`."
        )
    module.exit_json(
        changed=not in_place, channels=result.channels, waited_seconds=result.seconds, msg=message
    )


if __name__ == "__main__":
    main()
