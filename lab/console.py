"""What the person at the terminal sees: one line per step, and the whole story in a log file."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from lab.paths import CACHE_DIR, ROOT

_TAIL_LINES = 30


class LabError(Exception):
    """A failure that one line, with its remedy, explains to the person at the terminal."""


@dataclass
class Console:
    """Prints steps as they happen.

    Attributes:
        verbose: stream the output of every command instead of only logging it.
    """

    verbose: bool = False
    started: float = field(default_factory=time.monotonic)

    def say(self, message: str) -> None:
        """Print one line, stamped with the seconds since the program started."""
        print(f"[{time.monotonic() - self.started:4.0f}s] {message}", flush=True)

    @contextmanager
    def log(self, name: str) -> Iterator[TextIO]:
        """Open ``.cache/lab/<name>.log`` afresh; on any failure inside, print its last lines."""
        CACHE_DIR.mkdir(parents=True, exist_ok=True)
        path = CACHE_DIR / f"{name}.log"
        with path.open("w", encoding="utf-8", errors="replace") as stream:
            try:
                yield stream
            except Exception:
                stream.flush()
                if not self.verbose:
                    print_tail(path)
                raise

    def copy(self, lines: Iterable[str], log: TextIO) -> None:
        """Write lines to a log as they come, and to the terminal too when verbose."""
        for line in lines:
            log.write(line)
            if self.verbose:
                print(line, end="", flush=True)

    def run(
        self,
        command: Sequence[str],
        log_name: str,
        env: Mapping[str, str] | None = None,
        progress: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """Run a command in the repository's root, logged to ``.cache/lab/<log_name>.log``.

        Args:
            env: variables added to this process's own environment.
            progress: turns a line of output into what to say about it, or None for nothing.

        Raises:
            LabError: the command is missing or its exit status is not 0.
        """
        with self.log(log_name) as log:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env={**os.environ, **(env or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                )
            except FileNotFoundError as error:
                raise LabError(f"{command[0]} is not installed") from error
            with process:
                assert process.stdout is not None
                self.copy(self._report(process.stdout, progress), log)
            if process.returncode != 0:
                raise LabError(
                    f"{command[0]} failed with status {process.returncode}; "
                    f"all of its output is in {Path(log.name).relative_to(ROOT)}"
                )

    def _report(self, lines: Iterable[str], progress: Callable[[str], str | None]) -> Iterator[str]:
        for line in lines:
            message = None if self.verbose else progress(line)
            if message is not None:
                self.say(message)
            yield line


def print_tail(path: Path) -> None:
    """Print the last lines of a log file, indented."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]:
        print(f"    {line}", flush=True)
