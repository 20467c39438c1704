"""What egret says of a capture, summed so that it can be compared.

A conversation is keyed (protocol, (address, port), (address, port)) with the lower end first; what
went one way is keyed by its sender.
"""

import ipaddress
import json
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

# Everything is watched: references do not care who is an executor.
CONFIG = """
[[collector.segments]]
name = "all"
ranges = ["0.0.0.0/0", "::/0"]
"""

PROTOCOLS = {"tcp": 6, "udp": 17}


@dataclass
class Seen:
    """One capture as one tool sees it."""

    # (protocol, end, end) -> {sender end: [payload bytes, wire bytes, packets]}
    flows: dict = field(default_factory=lambda: defaultdict(dict))
    dns: set = field(default_factory=set)  # names asked for
    hosts: set = field(default_factory=set)  # ("sni" | "http", name)
    ja4: set = field(default_factory=set)  # (conversation, fingerprint)
    certificates: set = field(default_factory=set)  # (conversation, sha256)
    # What explains differences (explain.py). Of egret:
    refused: str | None = None  # why the capture is not read at all
    is_export: bool = False  # it holds NetFlow datagrams, and was read as such
    flow_ids: dict = field(default_factory=lambda: defaultdict(set))  # conversation: its flows
    # Of tshark:
    only_answered: set = field(default_factory=set)  # names in answers
    asked: set = field(default_factory=set)  # names in questions
    asked_elsewhere: set = field(default_factory=set)  # names in questions, none to port 53
    has_other_opcode: bool = False  # DNS messages that are no queries
    ssdp_hosts: set = field(default_factory=set)
    malformed_hosts: set = field(default_factory=set)  # ("sni" | "http", name) in damaged messages
    misdirected: set = field(default_factory=set)  # Host headers: another address than contacted
    client_certificates: set = field(default_factory=set)  # (conversation, sha256)
    overlong: set = field(default_factory=set)  # IP headers that announce more than the frame holds
    bad_header: set = field(default_factory=set)  # TCP headers of an impossible length
    repeated: set = field(default_factory=set)  # conversations with the same fragment twice
    aggregated: set = field(default_factory=set)  # conversations in wireless frames of several
    # (conversation, sender): [payload bytes, wire bytes, packets] of ICMP errors about it, and of
    # segments that are too short for their header.
    errors: dict = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    short: dict = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    backwards: set = field(default_factory=set)  # (conversation, sender) with bytes before the first
    leaps: bool = False  # packet times differ by more than an hour from one to the next

    @property
    def split(self):
        """Conversations of more than one flow."""
        return {key for key, flows in self.flow_ids.items() if len(flows) > 1}


def address(text):
    """The address in its plain form: IPv4 inside IPv6 is IPv4."""
    parsed = ipaddress.ip_address(text)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)


def is_address(text):
    """Whether a host is written as an address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def conversation(protocol, one, other):
    """The same key for both directions."""
    return (protocol, *sorted([one, other]))


def stays_on_link(text):
    """Broadcast and link-local multicast cannot leave their link: egret does not report them."""
    parsed = ipaddress.ip_address(text)
    if parsed.version == 4:
        return text == "255.255.255.255" or text.startswith("224.0.0.")
    return parsed.is_multicast and parsed.packed[1] & 15 <= 2


def name(text):
    """A host name in the form in which it is compared."""
    return text.rstrip(".").lower()


def run(egret, capture):
    """Reads `capture` with the binary `egret`."""
    seen = Seen()
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(CONFIG)
        config.flush()
        command = [egret, "analyze", "--config", config.name, "--format", "events", str(Path(capture).resolve())]
        done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    if done.returncode != 0:
        seen.refused = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["?"]
        seen.refused = seen.refused[0]
        return seen
    for line in done.stdout.splitlines():
        take(seen, json.loads(line))
    return seen


def take(seen, event):
    fact = event["fact"]
    if "gap" in fact:
        seen.is_export |= fact["gap"]["reason"] == "no_template"
        return
    if "contradiction" in fact:
        return
    to = event["destination"]
    client = (event["client"][0], event["client"][1])
    server = (to["address"] or to["domain"], to["port"])
    if "dns" in fact:
        seen.dns.add(fact["dns"]["name"])
    elif "http" in fact:
        seen.hosts.add(("http", to["host"] or to["domain"]))
    elif "tls" in fact:
        hello = fact["tls"]
        if hello["sni"]:
            seen.hosts.add(("sni", hello["sni"]))
        if hello["ja4"]:
            protocol = 6 if hello["carrier"] == "tcp" else 17
            seen.ja4.add((conversation(protocol, client, server), hello["ja4"]))
    elif "certificate" in fact:
        shown = fact["certificate"]["sha256"]
        if shown:
            seen.certificates.add((conversation(6, client, server), shown))
    elif "flow" in fact:
        transport = fact["flow"]["transport"]
        if not isinstance(transport, str) or transport not in PROTOCOLS:
            return
        key = conversation(PROTOCOLS[transport], client, server)
        seen.flow_ids[key].add(fact["flow"]["flow"])
        sums = seen.flows[key]
        for sender, volume in ((client, event["up"]), (server, event["down"])):
            total = sums.setdefault(sender, [0, 0, 0])
            for at, key in enumerate(("bytes", "wire_bytes", "packets")):
                total[at] += volume[key] or 0
