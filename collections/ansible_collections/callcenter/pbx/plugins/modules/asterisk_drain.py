#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Let a PBX run empty before it is stopped."""

from __future__ import annotations

DOCUMENTATION = r"""
module: asterisk_drain
short_description: Let the running calls end while new ones are refused
description:
  - Puts the Asterisk in a container into maintenance, so that new calls are answered with 503 and the carrier
    tries elsewhere, and waits until the running calls have ended or the time is over.
  - A container that does not run, or whose Asterisk does not answer, has no calls to wait for.
options:
  container:
    description: Name of the container.
    type: str
    default: callcenter-asterisk
  seconds:
    description: How long to wait for the running calls.
    type: int
    default: 300
  state:
    description: V(drained) refuses new calls and waits; V(resumed) takes new calls again.
    type: str
    choices: [drained, resumed]
    default: drained
attributes:
  check_mode:
    description: Says what would be done and refuses no call.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Draining an empty PBX again changes nothing more.
    support: full
author:
  - Call centre maintainers
"""

EXAMPLES = r"""
- name: Let the running calls end
  callcenter.pbx.asterisk_drain:
    seconds: 120
"""

RETURN = r"""
channels_left:
  description: Channels still open when the time was over; their calls will be cut.
  returned: success
  type: int
msg:
  description: What happened, or would in check mode.
  returned: always
  type: str
  sample: All calls have ended after 12 s.
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.callcenter.pbx.plugins.module_utils import asterisk_cli
from ansible_collections.callcenter.pbx.plugins.module_utils.docker_engine import DockerEngine, DockerError


def resume(module: AnsibleModule, engine: DockerEngine, name: str) -> None:
    """Take new calls again and end the module."""
    if not module.check_mode:
        try:
            asterisk_cli.AsteriskCli(engine, name).resume()
        except (asterisk_cli.AsteriskSilent, DockerError) as error:
            module.fail_json(msg=f"{name} still refuses new calls, since it does not answer: {error}")
    module.exit_json(changed=True, channels_left=0, msg=f"{name} takes new calls again.")


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str", "default": "callcenter-asterisk"},
            "seconds": {"type": "int", "default": 300},
            "state": {"type": "str", "choices": ["drained", "resumed"], "default": "drained"},
        },
        supports_check_mode=True,
    )
    name, seconds = module.params["container"], module.params["seconds"]
    engine = DockerEngine()
    if not asterisk_cli.running_container(engine, name):
        module.exit_json(changed=False, channels_left=0, msg=f"{name} does not run: no call to wait for.")
    if module.params["state"] == "resumed":
        resume(module, engine, name)
    if module.check_mode:
        module.exit_json(
            changed=True,
            channels_left=0,
            msg=f"{name} will be restarted: new calls refused, up to {seconds} s for the running ones.",
        )
    try:
        drained = asterisk_cli.AsteriskCli(engine, name).drain(seconds)
    except (asterisk_cli.AsteriskSilent, DockerError) as error:
        module.exit_json(changed=False, channels_left=0, msg=f"No call to wait for: {error}.")
    if drained.channels:
        module.warn(f"{drained.channels} channels are still open after {drained.seconds} s and will be cut")
    module.exit_json(
        changed=True,
        channels_left=drained.channels,
        msg=f"All calls have ended after {drained.seconds} s."
        if not drained.channels
        else f"{drained.channels} channels are still open after {drained.seconds} s.",
    )


if __name__ == "__main__":
    main()
