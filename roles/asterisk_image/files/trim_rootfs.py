#!/usr/bin/python3
"""Reduce a Debian root with Asterisk to what this PBX needs; run by mmdebstrap before packing.

usage: trim_rootfs.py ROOT

What stays is listed beside this file: modules.keep and programs.keep, and of the libraries those that
these load. So a new version brings nothing along that nobody asked for.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

RECIPE = Path(__file__).resolve().parent
ASTERISK_ID = "15060"

# Opened by name at run time, so that no program says that it needs them: the loader, name services, and
# the cryptography behind SRTP.
LIBRARIES_BY_NAME = ("ld-linux", "libnss_", "libfreebl", "libsoftokn")

# Of these directories stays what is named; of all others, everything.
STAYS = {
    "": "bin dev etc lib lib64 proc root run sbin srv sys tmp usr var",
    "etc": "alternatives debian_version group ld.so.cache ld.so.conf ld.so.conf.d localtime nsswitch.conf "
    "os-release passwd timezone",
    "etc/alternatives": "asterisk-prompt-en asterisk-prompt-en-us awk",
    "usr": "bin lib lib64 local sbin share",
    "usr/lib": "locale os-release",
    # The documentation is not for readers: Asterisk checks options against it.
    "usr/share": "asterisk zoneinfo",
    "usr/share/asterisk": "agi-bin documentation sounds",
    "root": "",
    "tmp": "",
    "usr/local": "bin",
    "var": "lib lock log run spool tmp",
    # The list of packages tells a scanner what is in here.
    "var/lib": "asterisk dpkg",
    "var/lib/asterisk": "",
    "var/lib/dpkg": "status",
    "var/log": "",
    "var/spool": "",
}
STATE_DIRS = ("var/lib/asterisk/astdb", "var/log/asterisk", "var/spool/asterisk")


def keep_only(directory: Path, names: set[str]) -> None:
    """Remove everything in a directory but what is named."""
    for path in list(directory.iterdir()):
        if path.name in names:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def listed(name: str) -> set[str]:
    """The words of a list beside this file, without its comments."""
    lines = (RECIPE / name).read_text().splitlines()
    return {word for line in lines for word in line.partition("#")[0].split()}


def loaded_libraries(root: Path, programs: list[Path]) -> set[str]:
    """Real paths of all libraries that these programs load."""
    inside = [f"/{path.relative_to(root)}" for path in programs]
    # ldd complains about scripts and goes on.
    answer = subprocess.run(
        ["chroot", root, "ldd", *inside], capture_output=True, text=True, check=False
    ).stdout
    words = (line.split() for line in answer.splitlines())
    found = {line[2] for line in words if len(line) > 2 and line[1] == "=>" and line[2].startswith("/")}
    if not found:
        sys.exit(f"ldd found no library in {root}: nothing was trimmed")
    return {os.path.realpath(root / name.lstrip("/")) for name in found}


def main() -> None:
    """Trim the root given as argument."""
    root = Path(sys.argv[1]).resolve()
    libraries = next((root / "usr/lib").glob("*-linux-gnu"))
    # While the programs for it are still there.
    for command in (["usermod", "--uid", ASTERISK_ID], ["groupmod", "--gid", ASTERISK_ID]):
        subprocess.run(["chroot", root, *command, "asterisk"], check=True)

    modules = libraries / "asterisk" / "modules"
    keep_only(modules, {f"{name}.so" for name in listed("modules.keep")})
    places = [root / "usr/bin", root / "usr/sbin"]
    kept = [path for place in places for path in place.iterdir() if path.name in listed("programs.keep")]
    by_name = [path for path in libraries.glob("lib*") if path.name.startswith(LIBRARIES_BY_NAME)]
    needed = loaded_libraries(root, [*kept, *modules.iterdir(), *by_name])
    needed |= {
        os.path.realpath(path) for path in libraries.glob("*") if path.name.startswith(LIBRARIES_BY_NAME)
    }
    stays = {path.name for path in libraries.iterdir() if os.path.realpath(path) in needed}
    keep_only(libraries, stays | {"asterisk"})
    subprocess.run(["chroot", root, "ldconfig"], check=True)

    for place in places:
        keep_only(place, listed("programs.keep"))
    for directory, names in STAYS.items():
        extra = {libraries.name} if directory == "usr/lib" else set()
        keep_only(root / directory, set(names.split()) | extra)
    for state_dir in STATE_DIRS:
        (root / state_dir).mkdir(parents=True, exist_ok=True)
        os.chown(root / state_dir, int(ASTERISK_ID), int(ASTERISK_ID))
    # A file, for a time zone to be mounted over: through a link, the mount would replace the zone UTC.
    (root / "etc/localtime").unlink(missing_ok=True)
    shutil.copy(root / "usr/share/zoneinfo/Etc/UTC", root / "etc/localtime")
    (root / "srv/asterisk").mkdir(parents=True)
    (root / "etc/asterisk").symlink_to("/srv/asterisk/config")


if __name__ == "__main__":
    main()
