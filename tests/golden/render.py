"""Render a site's configuration on this machine, with made-up passwords: no network, no vault.

`python -m tests.golden.render` rewrites the golden files; read the difference before committing it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).resolve().parent
SITES = ("lab", "production")


def render(site: str, extra_variables: Sequence[str] = ()) -> dict[str, str]:
    """Return file name -> content for ``inventory/<site>``. Raises CalledProcessError when rendering fails.

    The inventory is copied without its vault, which may be encrypted or absent.
    """
    with tempfile.TemporaryDirectory() as directory:
        inventory = Path(directory) / "inventory"
        shutil.copytree(
            ROOT / "inventory" / site, inventory, ignore=shutil.ignore_patterns("vault.yml*", ".vault-key*")
        )
        output = Path(directory) / "files.json"
        variables = [f"@{GOLDEN / 'secrets.yml'}", f"output_file={output}", *extra_variables]
        subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                str(GOLDEN / "render.yml"),
                f"--inventory={inventory}",
                *(f"--extra-vars={variable}" for variable in variables),
            ],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            check=True,
            capture_output=True,
            text=True,
        )
        files: dict[str, str] = json.loads(output.read_text(encoding="utf-8"))
        return files


def golden(site: str) -> dict[str, str]:
    """Return the golden files of ``site``."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((GOLDEN / site).glob("*.conf"))}


def main() -> None:
    """Rewrite every golden file."""
    for site in SITES:
        directory = GOLDEN / site
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for name, content in render(site).items():
            (directory / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
