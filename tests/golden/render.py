"""Render a site's files and phone sheets on this machine, with made-up passwords: no network, no vault.

`python -m tests.golden.render` rewrites the golden files; read the difference before committing it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).resolve().parent
SITES = ("lab", "production")
SHEET_SITE = "production"
OVERLAP = "lab-overlap"
LOCAL = "production-local"
TOKEN = "production-token"
VARIANTS = {OVERLAP: "overlap.yml", LOCAL: "local.yml", TOKEN: "token.yml"}
"""What a few more variables change: <site>-<what is different>, and the file of these variables."""


def render(site: str, extra_variables: Sequence[str] = ()) -> dict[str, str]:
    """Return file name -> content for ``inventory/<site>``. Raises CalledProcessError when that fails."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "files.json"
        play(GOLDEN / "render.yml", site, Path(directory), [f"output_file={output}", *extra_variables])
        files: dict[str, str] = json.loads(output.read_text(encoding="utf-8"))
        return files


def render_sheets(site: str) -> dict[str, str]:
    """Return file name -> content of the phone sheets of ``inventory/<site>``, each host's in one mapping."""
    with tempfile.TemporaryDirectory() as directory:
        playbook = Path(directory) / "playbooks" / "phones.yml"
        playbook.parent.mkdir()
        for name in ("phones.yml", "servers.yml"):
            shutil.copy(ROOT / "playbooks" / name, playbook.parent)
        play(playbook, site, Path(directory))
        return _read(Path(directory) / "artifacts", "*/*/phones/*.html")


def play(playbook: Path, site: str, directory: Path, variables: Sequence[str] = ()) -> None:
    """Run ``playbook`` with the golden passwords on a copy of ``inventory/<site>`` in ``directory``.

    The copy is without the vault, which may be encrypted or absent.
    """
    inventory = directory / "inventory"
    shutil.copytree(
        ROOT / "inventory" / site, inventory, ignore=shutil.ignore_patterns("vault.yml*", ".vault-key*")
    )
    subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            str(playbook),
            f"--inventory={inventory}",
            *(f"--extra-vars={variable}" for variable in (f"@{GOLDEN / 'secrets.yml'}", *variables)),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        check=True,
        capture_output=True,
        text=True,
    )


def golden(site: str) -> dict[str, str]:
    """Return the golden files of ``site``."""
    return _read(GOLDEN / site, "*.conf")


def golden_sheets() -> dict[str, str]:
    """Return the golden phone sheets, those of `SHEET_SITE`."""
    return _read(GOLDEN / "phones", "*.html")


def _read(directory: Path, pattern: str) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(directory.glob(pattern))}


def variant(name: str) -> dict[str, str]:
    """Return the files of one of `VARIANTS` that differ from the golden ones of its site."""
    site = name.partition("-")[0]
    usual = golden(site)
    files = render(site, [f"@{GOLDEN / VARIANTS[name]}"])
    return {name: content for name, content in files.items() if usual.get(name) != content}


def main() -> None:
    """Rewrite every golden file."""
    for site in SITES:
        _write(GOLDEN / site, render(site))
    for name in VARIANTS:
        _write(GOLDEN / name, variant(name))
    _write(GOLDEN / "phones", render_sheets(SHEET_SITE))


def _write(directory: Path, files: Mapping[str, str]) -> None:
    """Replace one directory of golden files."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
