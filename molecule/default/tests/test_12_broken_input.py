"""A broken model is refused before the host is touched; a broken release never goes live."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab.driver.parties import Parties, load_variables
from lab.driver.playbook import PlaybookResult, run_playbook
from lab.paths import MODEL, ROOT, VAULT

# Nothing listens there: a run that gets as far as connecting says UNREACHABLE instead of naming the fault.
NOWHERE = {"ansible_host": "127.0.0.1", "ansible_port": 9}

Variables = dict[str, Any]


def _second_100(model: Variables) -> None:
    model["pbx_extensions"].append({**model["pbx_extensions"][0], "name": "Again"})


def _did_to_nowhere(model: Variables) -> None:
    model["pbx_dids"][0]["destinations"]["from-twilio"]["extensions"] = ["199"]


def _did_in_unknown_context(model: Variables) -> None:
    model["pbx_dids"][0]["destinations"]["from-nowhere"] = {"extensions": ["100"]}


def _overlapping_trunks(model: Variables) -> None:
    model["pbx_trunks"][1]["identify_networks"] = ["198.18.60.0/24"]


def _too_many_calls(model: Variables) -> None:
    model["pbx_max_calls"] = 26


def _unknown_outbound_trunk(model: Variables) -> None:
    model["pbx_outbound"]["trunk"] = "no-such-trunk"


def _emergency_number_as_extension(model: Variables) -> None:
    model["pbx_extensions"][1]["number"] = "911"


def _carrier_on_the_blacklist(model: Variables) -> None:
    model["pbx_blacklist"] = ["198.18.60.1"]


def _well_known_password(model: Variables) -> None:
    model["pbx_secrets"]["100"] = "changeme100"


def _missing_password(model: Variables) -> None:
    del model["pbx_secrets"]["twilio-na-us"]


def _line_break_in_a_name(model: Variables) -> None:
    model["pbx_extensions"][0]["name"] = "Agent\nexten => _X.,1,System(id)"


def _misspelt_key(model: Variables) -> None:
    model["pbx_outbound"]["max_cals"] = model["pbx_outbound"].pop("max_calls")


def _number_without_quotes(model: Variables) -> None:
    model["pbx_extensions"][0]["number"] = 100


def _impatient_qualify(model: Variables) -> None:
    model["pbx_trunks"][0]["qualify_seconds"] = 5


FAULTS: dict[str, tuple[Callable[[Variables], None], str]] = {
    "duplicate-extension": (_second_100, "pbx_extensions: extension 100 is defined 2 times"),
    "did-to-nowhere": (_did_to_nowhere, "rings 199, which does not exist"),
    "did-in-unknown-context": (_did_in_unknown_context, "'from-nowhere', where no call arrives"),
    "overlapping-trunks": (_overlapping_trunks, "overlap"),
    "too-many-calls-for-the-ports": (
        _too_many_calls,
        "pbx_max_calls: 26 calls and 2 kept for emergency calls need 112 ports",
    ),
    "unknown-outbound-trunk": (_unknown_outbound_trunk, "'no-such-trunk' is no trunk of pbx_trunks"),
    "emergency-number-as-extension": (_emergency_number_as_extension, "911 is an emergency number"),
    "carrier-on-the-blacklist": (_carrier_on_the_blacklist, "pbx_blacklist: 198.18.60.1 overlaps"),
    "well-known-password": (_well_known_password, "pbx_secrets[100]: is a well-known password"),
    "missing-password": (_missing_password, "pbx_secrets[twilio-na-us]: is missing"),
    "line-break-in-a-name": (_line_break_in_a_name, "pbx_extensions[0].name:"),
    "misspelt-key": (_misspelt_key, "pbx_outbound.max_cals: is unknown here. Did you mean max_calls"),
    "number-without-quotes": (_number_without_quotes, 'Put it in quotes, as "100"'),
    "impatient-qualify": (_impatient_qualify, "pbx_trunks[0].qualify_seconds"),
}


@pytest.fixture(scope="module")
def refusals() -> dict[str, PlaybookResult]:
    """``site.yml`` with one fault each, on a host that cannot be reached."""
    sound = load_variables(MODEL, VAULT)

    def run(spoil: Callable[[Variables], None]) -> PlaybookResult:
        model = copy.deepcopy(sound)
        spoil(model)
        return run_playbook("site.yml", variables={**model, **NOWHERE})

    with ThreadPoolExecutor(max_workers=3) as pool:
        results = pool.map(run, (spoil for spoil, _ in FAULTS.values()))
        return dict(zip(FAULTS, results, strict=True))


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_model_is_refused_before_the_host_is_touched(
    refusals: dict[str, PlaybookResult], fault: str
) -> None:
    refused = refusals[fault]
    assert refused.exit_code == 2
    assert FAULTS[fault][1] in refused.words, refused.output
    assert "nothing was touched" in refused.words
    assert "UNREACHABLE" not in refused.output


def test_password_is_never_shown_by_a_refusal(refusals: dict[str, PlaybookResult]) -> None:
    secrets = [*load_variables(VAULT)["pbx_secrets"].values(), "changeme100"]
    for refused in refusals.values():
        assert not any(secret in refused.output for secret in secrets)


def test_several_faults_are_reported_at_once() -> None:
    model = load_variables(MODEL, VAULT)
    wanted = ["duplicate-extension", "too-many-calls-for-the-ports", "missing-password"]
    for fault in wanted:
        FAULTS[fault][0](model)
    refused = run_playbook("site.yml", variables={**model, **NOWHERE})
    for fault in wanted:
        assert FAULTS[fault][1] in refused.words, refused.output


def test_host_that_cannot_be_reached_is_no_fault_of_the_model() -> None:
    """The counter-proof: with a sound model the same run does get as far as connecting."""
    sound = run_playbook("playbooks/pbx.yml", variables=NOWHERE)
    assert sound.exit_code != 0
    assert "UNREACHABLE" in sound.output


SABOTAGE = {
    "endpoint-with-a-bad-option": (
        "pjsip.conf.j2",
        "\n[sabotage]\ntype = endpoint\ndtmf_mode = telepathy\n",
        "telepathy",
    ),
    "endpoint-naming-a-missing-auth": (
        "pjsip.conf.j2",
        "\n[sabotage]\ntype = endpoint\ncontext = internal\noutbound_auth = no-such-auth\n",
        "no-such-auth",
    ),
    "dialplan-with-an-unknown-application": (
        "extensions.conf.j2",
        "\n[sabotage]\nexten => s,1,NoSuchApplication()\n",
        "NoSuchApplication",
    ),
    "file-that-cannot-be-parsed": (
        "extensions.conf.j2",
        "\n[sabotage\nexten => s,1,NoOp()\n",
        "extensions.conf",
    ),
}


@pytest.mark.parametrize("name", SABOTAGE)
class TestBrokenRelease:
    @pytest.fixture(scope="class")
    def refused(self, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], PlaybookResult]:
        results: dict[str, PlaybookResult] = {}

        def deploy(name: str) -> PlaybookResult:
            if name not in results:
                file, text, _ = SABOTAGE[name]
                # Roles beside a playbook win over all others.
                copy = tmp_path_factory.mktemp(name)
                roles = copy / "roles"
                shutil.copytree(ROOT / "roles", roles)
                for playbook in ("pbx.yml", "servers.yml"):
                    shutil.copy(ROOT / "playbooks" / playbook, copy)
                with (roles / "asterisk_config" / "templates" / file).open("a", encoding="utf-8") as template:
                    template.write(text)
                results[name] = run_playbook(str(copy / "pbx.yml"))
            return results[name]

        return deploy

    def test_never_goes_live_and_calls_still_pass(
        self, lab: Parties, refused: Callable[[str], PlaybookResult], name: str
    ) -> None:
        before, release = lab.server.container_state(), lab.server.live_release()
        result = refused(name)
        assert result.exit_code == 2
        assert lab.server.live_release() == release
        assert lab.server.container_state()["StartedAt"] == before["StartedAt"]
        assert lab.umatilla.call("+19863334949", caller="+15550101212").wait().status == 200

    def test_message_says_why_in_asterisks_words(
        self, refused: Callable[[str], PlaybookResult], name: str
    ) -> None:
        assert SABOTAGE[name][2] in refused(name).words


def test_release_is_as_the_inventory_says_after_all_that(lab: Parties) -> None:
    assert Path(lab.server.live_release()).parent.name == "releases"
    again = run_playbook("playbooks/pbx.yml")
    assert (again.exit_code, again.changed) == (0, 0), again.output
