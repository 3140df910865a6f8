"""The lab's images: a base bootstrapped from the Debian archive, and one Dockerfile per kind of host.

Every image is tagged with the hash of its recipe, so an unchanged recipe costs one look-up and a
changed one is rebuilt without being asked for. No image registry is involved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import docker.errors

from lab.console import Console, LabError
from lab.hosts import Kind
from lab.paths import CACHE_DIR, IMAGES_DIR
from lab.system import as_root

_SUITE = "trixie"
_BASE_REPOSITORY = "lab-base"
_KINDS: tuple[Kind, ...] = ("sip", "server")

# A frozen snapshot of the archive has an expired Release file; a current mirror does not mind.
_APT_OPTION = "Acquire::Check-Valid-Until=false"

_BOOTSTRAP = (
    "mmdebstrap",
    "--variant=minbase",
    "--format=tar",
    '--aptopt=Acquire::Check-Valid-Until "false"',
    # The switch above is for the bootstrap alone: the roles set it where they need it.
    '--customize-hook=rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"',
    _SUITE,
)


def repository(kind: Kind) -> str:
    """Name of the image for a kind of host, without the tag."""
    return f"lab-{kind}"


def recipe_hash(parent: str, recipe_dir: Path) -> str:
    """12 hexadecimal digits that change with the parent or with any file of the recipe."""
    digest = hashlib.sha256(parent.encode())
    for path in sorted(item for item in recipe_dir.rglob("*") if item.is_file()):
        digest.update(b"\0" + path.relative_to(recipe_dir).as_posix().encode())
        digest.update(b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def base_reference() -> str:
    """``repository:tag`` of the bootstrapped base."""
    return f"{_BASE_REPOSITORY}:{hashlib.sha256(repr(_BOOTSTRAP).encode()).hexdigest()[:12]}"


def reference(kind: Kind) -> str:
    """``repository:tag`` of the image for a kind of host, as its recipe stands now."""
    return f"{repository(kind)}:{recipe_hash(base_reference() + _APT_OPTION, IMAGES_DIR / kind)}"


def ensure_images(client: docker.DockerClient, console: Console) -> None:
    """Build every image that does not exist yet.

    Raises:
        LabError: the bootstrap or a build failed; the log's tail has been printed.
    """
    missing = [kind for kind in _KINDS if not _exists(client, reference(kind))]
    if missing and not _exists(client, base_reference()):
        console.say(f"Bootstrapping the Debian base image {base_reference()} (about a minute)")
        _bootstrap(client, console)
    for kind in missing:
        console.say(f"Building the image {reference(kind)} (about a minute)")
        _build(client, kind, console)
    _remove_superseded(client)


def remove_images(client: docker.DockerClient) -> list[str]:
    """Remove all images of the lab and return their references."""
    references = [name for repo in _repositories() for name in _references(client, repo)]
    for name in references:
        client.images.remove(name)
    return references


def _repositories() -> list[str]:
    # Children before their parent, which cannot be removed while a child uses it.
    return [*(repository(kind) for kind in _KINDS), _BASE_REPOSITORY]


def _references(client: docker.DockerClient, repo: str) -> list[str]:
    return sorted(
        tag for image in client.images.list(name=repo) for tag in image.tags if tag.startswith(f"{repo}:")
    )


def _exists(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        return False
    return True


def _bootstrap(client: docker.DockerClient, console: Console) -> None:
    archive = CACHE_DIR / "base.tar"
    CACHE_DIR.mkdir(parents=True, exist_ok=True)
    archive.unlink(missing_ok=True)
    archive.touch()  # owned by us even when root writes it
    try:
        console.run([*as_root(_BOOTSTRAP), str(archive)], "image-base")
        repo, tag = base_reference().split(":")
        client.api.import_image_from_file(str(archive), repository=repo, tag=tag)
    finally:
        archive.unlink(missing_ok=True)
    if not _exists(client, base_reference()):
        raise LabError(f"the engine did not import {base_reference()}; look at the engine's log")


def _build(client: docker.DockerClient, kind: Kind, console: Console) -> None:
    with console.log(f"image-{kind}") as log:
        events = client.api.build(
            path=str(IMAGES_DIR / kind),
            tag=reference(kind),
            buildargs={"BASE": base_reference(), "APT_OPTIONS": f"-o {_APT_OPTION}"},
            rm=True,
            forcerm=True,
            decode=True,
        )
        console.copy(_build_output(events, kind), log)


def _build_output(events: Iterator[dict[str, Any]], kind: Kind) -> Iterator[str]:
    """Text of a build's event stream.

    Raises:
        LabError: the stream reports a failure.
    """
    for event in events:
        if "error" in event:
            yield f"{event['error']}\n"
            raise LabError(f"building the image {reference(kind)} failed: {str(event['error']).strip()}")
        yield str(event.get("stream", ""))


def _remove_superseded(client: docker.DockerClient) -> None:
    """Remove images of earlier recipes, except those that a container still uses."""
    wanted = {base_reference(), *(reference(kind) for kind in _KINDS)}
    for repo in _repositories():
        for name in _references(client, repo):
            if name not in wanted:
                with suppress(docker.errors.APIError):
                    client.images.remove(name)
