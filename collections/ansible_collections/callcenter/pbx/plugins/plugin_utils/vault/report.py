"""What a run says about the vault. Names only: nothing here ever sees a password by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.rotation import (
    Journal,
    Kind,
    Known,
    Status,
)

HEADER = """---
# The site's passwords. This file is encrypted as a whole: read it with `ansible-vault view --ask-vault-pass`,
# change it with `ansible-vault edit --ask-vault-pass`, then run site.yml. See docs/secrets.md.
# A password for each extension, its number in quotes, and for each trunk, by its name. `make secrets` adds
# what is missing. For a trunk, the carrier must be given the same password, or this one be the carrier's.
"""


def completed(path: Path, names: Sequence[str], new: bool, check: bool) -> str:
    """What was made, or would be."""
    if not names:
        return f"{path} has a password for every name already."
    made = "would make" if check else "made"
    return f"{'New vault ' if new else ''}{path}: {made} passwords for {', '.join(names)}."


def recovered(journal: Journal | None, statuses: Mapping[str, Status]) -> str:
    """What was found of a run that was cut short."""
    if journal is None:
        return "No interrupted rotation was found."
    pending = _with(statuses, "written")
    edited = _with(statuses, "edited")
    if journal.restored or not (pending or edited):
        said = "An earlier rotation ended without effect: the vault holds the passwords in use."
    elif pending:
        said = f"An earlier rotation was interrupted: what the vault holds for {pending} is deployed first."
    else:
        said = "An earlier rotation was interrupted, and the vault edited since."
    return said + (f" Edited since, and left as they are: {edited}." if edited else "")


def begun(kind: Kind, names: Sequence[str], check: bool) -> str:
    """What the vault holds now, or would."""
    if not names:
        return "Nothing to finish." if kind == "finish" else "Nothing is left to rotate."
    listed = ", ".join(names)
    if kind == "finish":
        return f"{'Would finish' if check else 'Finishing'} the rotation of {listed}."
    overlap = " with an overlap" if kind == "overlap" else ""
    return f"{'Would make' if check else 'Made'} new passwords{overlap} for {listed}."


def settled(journal: Journal, known: Known) -> str:
    """What is true now, and what is left for people to do."""
    if journal.restored:
        return "The rotation is undone."
    here = [name for name in journal.names if name in known.owners]
    phones = ", ".join(name for name in here if known.is_extension(name))
    trunks = ", ".join(name for name in here if not known.is_asked_for(name))
    tokens = ", ".join(name for name in here if name in known.tokens)
    said = []
    if phones:
        said.append(
            {
                "rotate": f"{phones}: the new password works, the old one is refused. Set it in the phones.",
                "overlap": f"{phones}: the new password works, the old one too. Set the new one in the "
                "phones, then run with -e finish=true.",
                "finish": f"{phones}: the old password is refused from now on.",
            }[journal.kind]
        )
    if trunks:
        said.append(
            {
                "rotate": f"{trunks}: calls go out with the new password. Give it to the carrier now.",
                "overlap": f"{trunks}: the new password is in the vault, in pbx_secrets_next, and not used "
                "yet. Add it at the carrier, then run with -e finish=true.",
                "finish": f"{trunks}: calls go out with the new password. Remove the old one at the carrier.",
            }[journal.kind]
        )
    if tokens:
        said.append(
            {
                "rotate": f"{tokens}: the carrier must send the new token now.",
                "overlap": f"{tokens}: calls with the new token are taken, with the old one too. Write the "
                "new one into the carrier's origination URI, then run with -e finish=true.",
                "finish": f"{tokens}: calls with the old token are refused from now on.",
            }[journal.kind]
        )
    return " ".join(said) or "Settled."


def restored(path: Path, statuses: Mapping[str, Status]) -> str:
    """What the vault holds again."""
    back = _with(statuses, "written")
    edited = _with(statuses, "edited")
    said = f"{path} holds the former passwords of {back} again." if back else f"{path} needed no change."
    return said + (f" Edited meanwhile, and left as they are: {edited}." if edited else "")


def _with(statuses: Mapping[str, Status], wanted: Status) -> str:
    return ", ".join(name for name, status in statuses.items() if status == wanted)
