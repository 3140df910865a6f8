#!/usr/bin/python3
"""Reduce a Debian root with Asterisk to what a small SIP PBX needs; run by mmdebstrap before packing.

usage: trim_rootfs.py ROOT

What stays: Asterisk with the modules of a SIP PBX, the libraries that these and the remaining programs
load, the prompts, and a userland with a shell, tail, grep and cat for whoever looks into the container.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Protocols, databases and services that this PBX never speaks; each is attack surface, and many hold a
# heavy library.
MODULES = """
    app_adsiprog app_alarmreceiver app_audiosocket app_dictate app_disa app_externalivr app_festival
    app_jack app_minivm app_mp3 app_sms app_speech_utils app_test app_voicemail_* cdr_*odbc
    cdr_pgsql cdr_radius cdr_sqlite* cdr_tds cel_odbc cel_pgsql cel_radius cel_sqlite* cel_tds
    chan_audiosocket chan_console chan_iax2 chan_motif chan_unistim chan_websocket codec_adpcm
    codec_amr codec_codec2 codec_lpc10 codec_opus* codec_speex format_ogg* func_curl func_odbc
    func_realtime func_shell func_speex pbx_ael pbx_dundi pbx_lua pbx_realtime pbx_spool res_adsi
    res_aeap res_ael* res_agi res_ari* res_audiosocket res_calendar* res_clioriginate res_config_*
    res_curl res_fax* res_geolocation res_hep* res_http* res_limit res_odbc* res_phoneprov
    res_pjsip_geolocation res_pjsip_phoneprov* res_pjsip_stir_shaken res_pjsip_transport_websocket
    res_prometheus res_realtime res_smdi res_snmp res_sorcery_realtime res_speech* res_stasis_test
    res_statsd res_stir_shaken res_stun_monitor res_websocket_client res_xmpp
""".split()

# Package management, perl, documentation, keys: the image is replaced, never upgraded from inside. The
# package list (var/lib/dpkg/status) stays for scanners, and Asterisk's XML documentation, without which
# it does not start.
RUBBISH = """
    etc/asterisk usr/bin/apt* usr/bin/dirmngr* usr/bin/gpg* usr/bin/perl* usr/bin/sq* usr/bin/kbx*
    usr/bin/watchgnupg usr/bin/dpkg* usr/bin/c_rehash usr/bin/openssl usr/bin/passwd
    usr/bin/ch[asf]* usr/bin/gpasswd usr/bin/expiry usr/lib/apt usr/lib/dpkg usr/lib/gnupg*
    usr/lib/systemd usr/lib/*/gconv usr/lib/*/perl* usr/lib/*/security usr/sbin/user*
    usr/sbin/group* usr/sbin/newusers usr/sbin/pam* usr/sbin/mk* usr/sbin/fsck* usr/sbin/*part*
    usr/share/asterisk/conf usr/share/asterisk/firmware
    usr/share/asterisk/images usr/share/asterisk/phoneprov usr/share/asterisk/rest-api
    usr/share/asterisk/static-http usr/share/bug usr/share/common-licenses usr/share/doc
    usr/share/gdb usr/share/gnupg usr/share/i18n usr/share/info usr/share/lintian usr/share/locale
    usr/share/man usr/share/mibs usr/share/misc usr/share/perl* usr/share/snmp var/cache/*
    var/lib/apt var/lib/dpkg/info var/log/*
""".split()

# Opened by name at run time, so that no program says that it needs them.
LIBRARIES_BY_NAME = ("libgcc_s", "libnss_", "libresolv", "ld-linux", "libc.so")


def remove(path: Path) -> None:
    """Remove a file, a link or a whole directory."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def programs(root: Path, library_dir: Path) -> list[str]:
    """Paths, as seen inside the root, of everything that loads libraries."""
    places = (root / "usr/bin", root / "usr/sbin", library_dir / "asterisk/modules")
    found = (item for place in places for item in place.iterdir() if item.is_file() and not item.is_symlink())
    return [f"/{item.relative_to(root)}" for item in found]


def loaded_libraries(root: Path, paths: list[str]) -> set[str]:
    """Real paths inside the root of all libraries that these programs load."""
    # ldd complains about scripts and goes on.
    answer = subprocess.run(
        ["chroot", root, "ldd", *paths], capture_output=True, text=True, check=False
    ).stdout
    words = (line.split() for line in answer.splitlines())
    named = {line[2] for line in words if len(line) > 2 and line[1] == "=>" and line[2].startswith("/")}
    if not named:
        sys.exit(f"ldd found no library in {root}: nothing was trimmed")
    return {os.path.realpath(root / name.lstrip("/")) for name in named}


def main() -> None:
    """Trim the root given as argument."""
    root = Path(sys.argv[1]).resolve()
    library_dir = next((root / "usr/lib").glob("*-linux-gnu"))
    for pattern in RUBBISH:
        for path in list(root.glob(pattern)):
            remove(path)
    for pattern in MODULES:
        for path in list((library_dir / "asterisk/modules").glob(f"{pattern}.so")):
            remove(path)
    needed = loaded_libraries(root, programs(root, library_dir))
    for path in list(library_dir.glob("*.so*")):
        if os.path.realpath(path) not in needed and not path.name.startswith(LIBRARIES_BY_NAME):
            path.unlink()


if __name__ == "__main__":
    main()
