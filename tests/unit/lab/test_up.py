"""What `make up` says while the playbook runs."""

from __future__ import annotations

import pytest

from lab.up import playbook_progress


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            "TASK [docker_host : Install Docker] *****\n", "  docker_host : Install Docker", id="task"
        ),
        pytest.param("TASK [Take a [bracketed] name] ***\n", "  Take a [bracketed] name", id="brackets"),
        pytest.param(
            "lab-pbx                    : ok=3    changed=0    unreachable=0    failed=0\n",
            "lab-pbx: ok=3 changed=0 unreachable=0 failed=0",
            id="recap",
        ),
        pytest.param("ok: [lab-pbx]\n", None, id="result"),
        pytest.param("PLAY [Prepare the host] ****\n", None, id="play"),
        pytest.param("\n", None, id="blank"),
    ],
)
def test_playbook_progress(line: str, expected: str | None) -> None:
    assert playbook_progress(line) == expected
