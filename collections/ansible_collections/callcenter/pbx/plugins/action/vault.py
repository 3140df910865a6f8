"""Edit the site's vault on the controller: complete it, rotate passwords in it. No connection is made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.parsing.vault import PromptVaultSecret
from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read import read_model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.passwords import OWNERS
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.document import (
    DocumentError,
    apply,
    read_maps,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.files import (
    Secret,
    VaultFileError,
    VaultFiles,
    secret_for_new,
    still_runs,
    this_run,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.report import (
    HEADER,
    begun,
    completed,
    recovered,
    restored,
    settled,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.rotation import (
    Journal,
    Known,
    Request,
    RotationError,
    completion,
    plan,
    read_request,
)

STATES = ("complete", "recover", "begin", "settle", "restore")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "path": {"type": "str", "required": True},
    "state": {"type": "str", "choices": list(STATES), "required": True},
    "model": {"type": "dict", "required": True},
    "more_models": {"type": "list", "elements": "dict", "default": []},
    "vault_id": {"type": "str"},
    "rotate": {"type": "raw"},
    "overlap": {"type": "bool", "default": False},
    "finish": {"type": "bool", "default": False},
    "done": {"type": "dict"},
}

Result = dict[str, Any]


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/vault.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Result:
        """Do what ``state`` says and return the names it was about, never a password."""
        result: Result = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(ARGUMENTS)
        # What ends a rotation must work with whatever the model has become meanwhile.
        known = _known(args["model"], args["more_models"], args["state"] not in ("settle", "restore"))
        files = VaultFiles(Path(self._loader.path_dwim(args["path"])), self._loader._vault.secrets or [])
        states: dict[str, Callable[[VaultFiles, Known, Mapping[str, Any]], Result]] = {
            "complete": self._complete,
            "recover": self._recover,
            "begin": self._begin,
            "settle": self._settle,
            "restore": self._restore,
        }
        try:
            with files.locked():
                done = states[args["state"]](files, known, args)
        except DocumentError as error:
            raise AnsibleActionFail(f"{files.path}: {error}.") from None
        except (RotationError, VaultFileError) as error:
            raise AnsibleActionFail(f"{error}.") from None
        # Shown without -v: the names are what the task is for.
        return {**result, "changed": False, "_ansible_verbose_always": True, **done}

    def _complete(self, files: VaultFiles, known: Known, args: Mapping[str, Any]) -> Result:
        text = files.read()
        changes = completion(read_maps(text or ""), known)
        names = [change.name for change in changes]
        new = files.is_new
        result = {
            "changed": bool(changes),
            "names": names,
            "msg": completed(files.path, names, new, self._task.check_mode),
        }
        if not changes:
            return result
        written = apply(HEADER if text is None else text, changes)
        if new:
            vault_id, secret = secret_for_new(
                self._loader._vault.secrets or [], args["vault_id"], _configured()
            )
            files.encrypt_new_with(vault_id, secret)
            if not self._task.check_mode:
                self._confirm(secret)
        if not self._task.check_mode:
            files.write(written)
        return result

    def _confirm(self, secret: Secret) -> None:
        """Ask for a typed password once more: with a slip in it nobody could open the new vault."""
        if not isinstance(secret, PromptVaultSecret):
            return
        again = self._display.prompt_until("Confirm new vault password: ", private=True)
        if isinstance(again, bytes) and again.strip() != secret.bytes:
            raise VaultFileError("The two vault passwords differ; nothing was written. Run it again")
        # Anything else: there is no terminal to ask on, so nobody typed the first one either.

    def _recover(self, files: VaultFiles, known: Known, args: Mapping[str, Any]) -> Result:
        _request(args, known)
        nothing = {**_names((), known), "kind": ""}
        text = _text(files)
        journal = files.read_journal()
        if journal is None:
            return {**nothing, "msg": recovered(None, {})}
        me = this_run(os.getppid())
        if journal.owner != me and still_runs(journal.owner):
            raise VaultFileError(
                f"Another run, process {journal.owner.pid}, is rotating passwords here: wait until it ends"
            )
        statuses = journal.statuses(read_maps(text))
        pending = [name for name, status in statuses.items() if status == "written" and name in known.owners]
        result = {"changed": True, "msg": recovered(journal, statuses)}
        if journal.restored or not pending:
            if not self._task.check_mode:
                files.remove_journal()
            return {**nothing, **result}
        if not self._task.check_mode:
            files.write_journal(journal.adopted_by(me, pending))
        return {**_names(pending, known), **result, "kind": journal.kind}

    def _begin(self, files: VaultFiles, known: Known, args: Mapping[str, Any]) -> Result:
        asked = _request(args, known)
        text = _text(files)
        if files.read_journal() is not None and not self._task.check_mode:
            raise VaultFileError(
                f"{files.journal_path}: another rotation is not settled yet. Run this again when it has ended"
            )
        request = _without_done(asked, args["done"])
        changes = plan(read_maps(text), request, known) if request else ()
        journal = Journal(asked.kind, this_run(os.getppid()), changes)
        if changes:
            # Made before anything is written: what cannot be edited leaves no trace.
            written = apply(text, changes)
            if not self._task.check_mode:
                files.write_journal(journal)
                files.write(written)
        return {
            **_names(journal.names, known),
            "changed": bool(changes),
            "kind": asked.kind,
            "msg": begun(asked.kind, journal.names, self._task.check_mode),
        }

    def _settle(self, files: VaultFiles, known: Known, args: Mapping[str, Any]) -> Result:
        text = _text(files)
        journal = _journal(files)
        if not journal.restored:
            edited = [
                name for name, status in journal.statuses(read_maps(text)).items() if status != "written"
            ]
            if edited:
                raise VaultFileError(
                    f"{files.path}: was edited during the rotation and no longer holds what was deployed "
                    f"for {', '.join(edited)}"
                )
        if not self._task.check_mode:
            files.remove_journal()
        return {**_names(journal.names, known), "changed": True, "msg": settled(journal, known)}

    def _restore(self, files: VaultFiles, known: Known, args: Mapping[str, Any]) -> Result:
        text = _text(files)
        journal = _journal(files)
        maps = read_maps(text)
        statuses = journal.statuses(maps)
        undoing = journal.undoing(maps)
        if not self._task.check_mode:
            if undoing:
                files.write(apply(text, undoing))
            files.write_journal(journal.undone())
        names = [name for name, status in statuses.items() if status == "written"]
        return {**_names(names, known), "changed": bool(undoing), "msg": restored(files.path, statuses)}


def _known(first: Mapping[str, Any], others: Sequence[Mapping[str, Any]], must_be_sound: bool) -> Known:
    """Return the names of the site, of all of its servers."""
    variables = {
        **first,
        **{key: _each_once([first, *others], key, name) for key, name in OWNERS},
    }
    return _names_of(variables if others else first, must_be_sound)


def _each_once(models: Sequence[Mapping[str, Any]], key: str, name: str) -> list[Any]:
    """Return the items of all models' lists; of those that have the same name the first."""
    items = [item for model in models for item in model.get(key) or [] if isinstance(item, Mapping)]
    return list({str(item.get(name)): item for item in reversed(items)}.values())[::-1]


def _names_of(variables: Mapping[str, Any], must_be_sound: bool) -> Known:
    """Return the names in a model. Left out: the blacklist, which can be long, and the passwords."""
    model, faults = read_model(
        {
            key: value
            for key, value in variables.items()
            if key != "pbx_blacklist" and not key.startswith("pbx_secrets")
        }
    )
    if faults and must_be_sound:
        raise AnsibleActionFail(
            "\n".join(
                ["This site's model has faults; nothing was touched.", *(f"- {fault}" for fault in faults)]
            )
        )
    return Known.of(model)


def _request(args: Mapping[str, Any], known: Known) -> Request:
    return read_request(args["rotate"], args["overlap"], args["finish"], known)


def _without_done(request: Request, done: Mapping[str, Any] | None) -> Request | None:
    """Leave out what an interrupted run of the same kind has done already; None when nothing is left."""
    if not done or done.get("kind") != request.kind or not request.names:
        return request
    left = tuple(name for name in request.names if name not in done.get("names", []))
    return Request(request.kind, left) if left else None


def _names(names: Any, known: Known) -> Result:
    """The names, and which of them the servers can be asked about."""
    return {
        "names": list(names),
        "extensions": [name for name in names if known.is_extension(name)],
        "trunks": [name for name in names if name in known.owners and not known.is_asked_for(name)],
    }


def _text(files: VaultFiles) -> str:
    text = files.read()
    if text is None or files.is_new:
        raise VaultFileError(
            f"{files.path}: holds no passwords yet. Make them: make secrets SITE={_site(files.path)}"
        )
    return text


def _site(path: Path) -> str:
    """The site's name, from inventory/<site>/group_vars/pbx/vault.yml."""
    return path.parents[2].name if len(path.parents) > 2 else "<site>"


def _journal(files: VaultFiles) -> Journal:
    journal = files.read_journal()
    if journal is None:
        raise VaultFileError(f"{files.journal_path}: is missing; no rotation is under way")
    return journal


def _configured() -> list[str]:
    """The vault ids that ansible.cfg gives to every run."""
    return [str(slug).partition("@")[0] for slug in C.DEFAULT_VAULT_IDENTITY_LIST if "@" in str(slug)]
