"""Updates come in by one command: a new image, the former one gone, and calls as before."""

from __future__ import annotations

from lab.driver.parties import Parties
from lab.driver.playbook import deploy
from lab.driver.server import CONTAINER


def test_an_update_makes_the_image_anew_and_proves_itself(lab: Parties) -> None:
    former = image(lab)
    updated = deploy("playbooks/update.yml")
    assert "updates" in updated.words, "the smoke checks were made"
    assert image(lab) != former
    assert former not in lab.server.run(["docker", "images", "--quiet", "--no-trunc"])
    lab.switch_on()
    assert lab.phone_100.call("101").wait().status == 200


def image(lab: Parties) -> str:
    """The image that the PBX runs."""
    return lab.server.run(["docker", "inspect", "--format", "{{.Image}}", CONTAINER]).strip()
