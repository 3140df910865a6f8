# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""The list of smoke checks, in the order they are shown. A new check is a judge and an entry here."""

from __future__ import annotations

from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke import (
    deployed,
    guard,
    server,
    telephony,
    updates,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.types import Check

_PUT_BACK = "Run site.yml: it puts the model back into service. "
_CONSOLE = "Look with `docker compose exec asterisk asterisk -rx"
_RENEW_FIREWALL = "Run playbooks/host.yml: it renews chain and sets. Then find out who changed them."

CHECKS = (
    Check(
        "compose-state",
        "compose state",
        server.compose_state,
        symptom="Nothing answers: no call, no registration",
        remedy="See `docker compose ps` and `docker compose logs --tail 50 asterisk` in {root_dir}.",
        needs_console=False,
    ),
    Check(
        "version",
        "version",
        telephony.asterisk_version,
        symptom="Anyone can end Asterisk's SIP service with one message (CVE-2026-57191)",
        remedy="Run site.yml with the newest package: `asterisk_image_minimum_version` is the floor.",
    ),
    Check(
        "as-released",
        "files as released",
        deployed.as_released,
        symptom="Somebody changed the configuration on the server: the next deployment undoes it",
        remedy="See the difference with `ansible-playbook playbooks/pbx.yml --check --diff`. Write what "
        "shall stay into the inventory, then run site.yml.",
        needs_console=False,
    ),
    Check(
        "as-declared",
        "the inventory deployed",
        deployed.as_declared,
        symptom="The inventory has changed since the last deployment: what it says is not in force yet",
        remedy="See what would change with `ansible-playbook site.yml --check --diff`, then run site.yml.",
        needs_console=False,
    ),
    Check(
        "options-udp",
        "answers over UDP",
        telephony.answers_over("udp"),
        symptom="Extensions do not register, incoming calls do not arrive",
        remedy="Open the SIP port for UDP in the cloud's firewall too. On the server: `docker compose ps` "
        "shows whether it is published, `iptables -nvL SIP-BLACKLIST` whether the asking address is dropped.",
        needs_console=False,
    ),
    Check(
        "options-tcp",
        "answers over TCP",
        telephony.answers_over("tcp"),
        symptom="Phones set to TCP do not register",
        remedy="Open the SIP port for TCP in the cloud's firewall too. On the server: `docker compose ps` "
        "shows whether it is published, `pjsip show transports` whether Asterisk listens.",
        needs_console=False,
    ),
    Check(
        "transports",
        "transports",
        telephony.transports,
        symptom="Phones or carriers cannot reach Asterisk over one of UDP and TCP",
        remedy=f"{_PUT_BACK}{_CONSOLE} 'pjsip show transports'`.",
    ),
    Check(
        "trunk-identifies",
        "trunk identifies",
        telephony.trunk_identifies,
        symptom='"No matching endpoint found": incoming calls fail',
        remedy=f"Check identify_networks in pbx_trunks. {_PUT_BACK}{_CONSOLE} 'pjsip show identifies'`.",
    ),
    Check(
        "trunk-endpoints",
        "trunk endpoints",
        telephony.trunk_endpoints,
        symptom='"No matching endpoint found": incoming calls fail, or arrive in the wrong context',
        remedy=f"{_PUT_BACK}{_CONSOLE} 'pjsip show endpoint {{about}}'`.",
    ),
    Check(
        "trunk-auths",
        "trunk auths",
        telephony.trunk_auths,
        symptom='"There were no auth ids available": outgoing calls fail',
        remedy="Check auth_username in pbx_trunks and the trunk's entry in pbx_secrets (vault). "
        f"{_PUT_BACK}{_CONSOLE} 'pjsip show auth {{about}}'`.",
    ),
    Check(
        "carrier-names",
        "carrier names",
        telephony.carrier_names,
        symptom="Outgoing calls end with a prompt after some seconds, emergency calls too",
        remedy="Mend the name servers: pbx_dns_servers, or those of the server's own /etc/resolv.conf; "
        "check that port 53 to them is open for containers. Where firewalld was started after Docker: "
        "`systemctl restart docker`.",
    ),
    Check(
        "trunk-aors",
        "trunk AORs",
        telephony.trunk_aors,
        symptom="Outgoing calls fail: nothing at the carrier answers",
        remedy="Check contacts and termination_host in pbx_trunks, name resolution and routes on the "
        "server, and that the carrier knows this address. "
        f"{_CONSOLE} 'pjsip show contacts'`.",
    ),
    Check(
        "extensions",
        "extensions",
        telephony.extensions,
        symptom="Extensions not registering",
        remedy=f"{_PUT_BACK}{_CONSOLE} 'pjsip show endpoints'`.",
    ),
    Check(
        "dialling",
        "dialling",
        telephony.dialling,
        symptom="A documented number cannot be dialled, or leads to somebody else",
        remedy=f"{_PUT_BACK}{_CONSOLE} 'dialplan show NUMBER@CONTEXT'`.",
    ),
    Check(
        "published-ports",
        "published ports",
        server.published_ports,
        symptom="One-way or no audio, or nothing at all",
        remedy="Check pbx_sip_port, pbx_local_sip_port, pbx_rtp_ports. Run site.yml to renew the container.",
    ),
    Check(
        "rtp-range",
        "RTP range",
        telephony.rtp_range,
        symptom="One-way or no audio on some calls",
        remedy="rtp.conf and the published ports must agree: both come from pbx_rtp_ports. Run site.yml.",
    ),
    Check(
        "channels",
        "channels",
        telephony.channels,
        symptom="New calls are refused",
        remedy=f"{_CONSOLE} 'core show channels'`.",
    ),
    Check(
        "log-written",
        "log written",
        server.log_written,
        symptom="The log shows nothing, whatever happens",
        remedy="Check the mount of {root_dir}/logs and that uid 15060 may write there; run site.yml.",
    ),
    Check(
        "log-activity",
        "log activity",
        server.log_activity,
        symptom='"No matching endpoint found": incoming calls failed',
        remedy="If the check of the trunks' identifies passes, it is over.",
        needs_console=False,
    ),
    Check(
        "blacklist-docker-user",
        "ban: published ports",
        server.blacklist_first_in_docker_user,
        symptom="A banned source still gets through to the PBX",
        remedy=_RENEW_FIREWALL,
        needs_console=False,
    ),
    Check(
        "blacklist-input",
        "ban: the host",
        server.blacklist_first_in_input,
        symptom="A banned source still gets through to the server itself",
        remedy=_RENEW_FIREWALL,
        needs_console=False,
    ),
    Check(
        "blacklist-sets",
        "ban: the list",
        server.blacklist_matches,
        symptom="A banned source still gets through",
        remedy=_RENEW_FIREWALL,
        needs_console=False,
    ),
    Check(
        "blacklist-drops",
        "ban: tried",
        server.blacklist_drops,
        symptom="A banned source still gets through",
        remedy=_RENEW_FIREWALL,
        needs_console=False,
    ),
    Check(
        "strangers",
        "strangers",
        guard.strangers_are_kept_short,
        symptom="Strangers listen to calls, or a phone is not heard",
        remedy=_RENEW_FIREWALL,
        needs_console=False,
    ),
    Check(
        "automatic-bans",
        "ban: by itself",
        server.automatic_bans,
        symptom="Whoever guesses passwords is not banned",
        remedy="Run playbooks/pbx.yml. `systemctl status fail2ban` and /var/log/fail2ban.log say more.",
        needs_console=False,
    ),
    Check(
        "updates",
        "updates",
        updates.updates_are_in,
        symptom="Faults that are known, and mended elsewhere, can be used against this server",
        remedy="`make update SITE=...` brings them in: running calls may end first, then the PBX restarts.",
        needs_console=False,
    ),
)
