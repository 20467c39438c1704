"""What the references say of a capture: tshark, Zeek, nDPI, Suricata and JA4.

Each function returns a `Seen` that holds only what that reference tells, and a set of the quantities
that it can be asked for.
"""

import functools
import hashlib
import json
import re
import subprocess
from collections import defaultdict

from ours import Seen, address, conversation, is_address, name, stays_on_link

TCP, UDP, ICMPV6 = 6, 17, 58

TSHARK_FIELDS = [
    "frame.protocols", "frame.len", "frame.time_epoch",
    "ip.src", "ip.dst", "ip.len", "ip.hdr_len", "ip.id", "ip.flags.mf", "ip.frag_offset", "ipv6.src", "ipv6.dst", "ipv6.plen", "ipv6.nxt",
    "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.len", "tcp.hdr_len", "tcp.flags",
    "udp.srcport", "udp.dstport", "udp.length",
    "dns.qry.name", "dns.flags.response", "dns.flags.opcode",
    "tls.handshake.type", "tls.handshake.extensions_server_name", "tls.handshake.certificate",
    "http.request.method", "http.host", "_ws.expert.message",
]  # fmt: skip

# What carries copies or samples of packets, or packets of which egret knows nothing: the IP headers
# in it are not of its traffic.
NO_TUNNELS = {"icmp", "icmpv6", "sflow", "capwap.data"}

# An hour, in seconds: no flow is idle for longer.
LEAP = 3600


@functools.cache
def tshark(capture):
    """Flows, bytes, names and certificates, from tshark's fields.

    Payload of TCP is worked out here from sequence numbers: each byte once. Payload of UDP is what
    the IP header leaves for it.
    """
    command = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "separator=\x1f",
               "-E", "aggregator=\x1e", "-o", "tcp.analyze_sequence_numbers:FALSE",
               "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]  # fmt: skip
    for one in TSHARK_FIELDS:
        command += ["-e", one]
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    seen, streams, hellos, fragments, clock = Seen(), defaultdict(list), set(), set(), None
    for line in done.stdout.decode(errors="replace").split("\n"):
        values = line.split("\x1f")
        if len(values) == len(TSHARK_FIELDS):
            frame = {key: value.split("\x1e") if value else [] for key, value in zip(TSHARK_FIELDS, values)}
            try:
                now = float(frame["frame.time_epoch"][0])
                seen.leaps |= clock is not None and abs(now - clock) > LEAP
                clock = now
                take_frame(seen, streams, hellos, fragments, frame)
            except (IndexError, ValueError):
                pass  # cut within its headers: tshark leaves the fields out
    for (key, sender), segments in streams.items():
        seen.flows[key].setdefault(sender, [0, 0, 0])[0] = distinct_bytes(segments)
        if any((start - segments[0][0]) % 2**32 >= 2**31 for start, length in segments if length):
            seen.backwards.add((key, sender))
    return seen


def ip_headers(frame):
    """The IP headers of a frame, outermost first: (place in the layers, sender, receiver, length
    with its header, bytes of payload where that is known)."""
    layers = frame["frame.protocols"][0].split(":") if frame["frame.protocols"] else []
    four = six = 0
    for at, layer in enumerate(layers):
        if layer == "ip":
            length, header = int(frame["ip.len"][four]), int(frame["ip.hdr_len"][four])
            yield at, frame["ip.src"][four], frame["ip.dst"][four], length, length - header
            four += 1
        elif layer == "ipv6":
            length = int(frame["ipv6.plen"][six])
            # Extension headers are not subtracted here.
            is_plain = int(frame["ipv6.nxt"][six]) in (TCP, UDP, ICMPV6)
            yield at, frame["ipv6.src"][six], frame["ipv6.dst"][six], length + 40, length if is_plain else None
            six += 1


def take_frame(seen, streams, hellos, fragments, frame):
    layers = frame["frame.protocols"][0].split(":")
    end = min((at for at, layer in enumerate(layers) if layer in NO_TUNNELS), default=len(layers))
    headers = list(ip_headers(frame))
    inner = [header for header in headers if header[0] < end]
    if not inner:
        return
    place, source, target, length, room = inner[-1]
    source, target = address(source), address(target)
    if end < len(layers) and layers[end] in ("icmp", "icmpv6"):
        take_error(seen, frame, headers[len(inner) :], (source, target, length, room))
        return
    below = layers[place + 1 :]
    if stays_on_link(target) or stays_on_link(source):
        return
    messages = " ".join(frame["_ws.expert.message"])
    # Ports of what is inside samples come after those of what carries them.
    if "tcp" in below and frame["tcp.srcport"]:
        at = layers[:end].count("tcp") - 1
        protocol, ports = TCP, (int(frame["tcp.srcport"][at]), int(frame["tcp.dstport"][at]))
    elif "udp" in below and frame["udp.srcport"]:
        at = layers[:end].count("udp") - 1
        protocol, ports = UDP, (int(frame["udp.srcport"][at]), int(frame["udp.dstport"][at]))
    else:
        return
    sender, receiver = (source, ports[0]), (target, ports[1])
    key = conversation(protocol, sender, receiver)
    if "wlan" in layers and layers.count("llc") > 1:
        seen.aggregated.add(key)
    if frame["ip.flags.mf"][:1] == ["1"]:
        fragment = (source, target, frame["ip.id"][0], frame["ip.frag_offset"][0])
        if fragment in fragments:
            seen.repeated.add(key)
        fragments.add(fragment)
    if protocol == TCP and not frame["tcp.len"]:
        add(seen.short[key, sender], 0, length)
        return
    total = seen.flows[key].setdefault(sender, [0, 0, 0])
    add(total, 0, length)
    if length > int(frame["frame.len"][0]) or "exceeds packet length" in messages:
        seen.overlong.add(key)
    if protocol == TCP:
        if int(frame["tcp.hdr_len"][at] or 20) < 20:
            seen.bad_header.add(key)
        start = int(frame["tcp.seq_raw"][at]) + (int(frame["tcp.flags"][at], 16) >> 1 & 1)
        streams[key, sender].append((start, int(frame["tcp.len"][at])))
    else:
        announced = int(frame["udp.length"][at] or 8) if room is None else room
        total[0] += max(announced - 8, 0)
    names(seen, frame, key, (sender, receiver), hellos, "Malformed" in messages)


def add(total, payload, length):
    total[0] += payload
    total[1] += length
    total[2] += 1


def take_error(seen, frame, quoted, error):
    """An ICMP error counts as sent by the other end than the one it goes to."""
    if not quoted:
        return
    source, target, length, room = error
    ends = [address(quoted[0][1]), address(quoted[0][2])]
    layers = frame["frame.protocols"][0].split(":")[quoted[0][0] :]
    for protocol, name_of in ((TCP, "tcp"), (UDP, "udp")):
        if name_of in layers and frame[f"{name_of}.srcport"] and target in ends:
            pair = [(ends[0], int(frame[f"{name_of}.srcport"][-1])), (ends[1], int(frame[f"{name_of}.dstport"][-1]))]
            key = conversation(protocol, *pair)
            for one, other in (pair, pair[::-1]):
                if one[0] == target:
                    # What an end itself sends is payload; what a router says is none.
                    add(seen.errors[key, other], room - 8 if other[0] == source else 0, length)
            return


def names(seen, frame, key, ends, hellos, is_malformed):
    sender, receiver = ends
    if frame["dns.qry.name"] and "mdns" not in frame["frame.protocols"][0] and "llmnr" not in frame["frame.protocols"][0]:
        asked = name(frame["dns.qry.name"][0]).replace("<root>", "")
        seen.dns.add(asked)
        is_answer = frame["dns.flags.response"][:1] in (["1"], ["True"])
        (seen.only_answered if is_answer else seen.asked).add(asked)
        if not is_answer and 53 not in (sender[1], receiver[1]):
            seen.asked_elsewhere.add(asked)
    seen.has_other_opcode |= any(opcode not in ("0", "") for opcode in frame["dns.flags.opcode"])
    for server_name in frame["tls.handshake.extensions_server_name"]:
        found = ("sni", name(server_name))
        seen.hosts.add(found)
        if is_malformed:
            seen.malformed_hosts.add(found)
    if frame["http.request.method"] and frame["http.host"]:
        host = host_of(frame["http.host"][0])
        seen.hosts.add(("http", host))
        if "ssdp" in frame["frame.protocols"][0]:
            seen.ssdp_hosts.add(host)
        elif is_address(host) and address(host) != receiver[0]:
            seen.misdirected.add(host)
    if "1" in frame["tls.handshake.type"]:
        hellos.add((key, sender))
    if frame["tls.handshake.certificate"] and key[0] == TCP:
        shown = bytes.fromhex(frame["tls.handshake.certificate"][0].replace(":", ""))
        found = (key, hashlib.sha256(shown).hexdigest())
        seen.certificates.add(found)
        # Who said hello first shows his certificate only where the server asks him.
        if (key, sender) in hellos or "15" in frame["tls.handshake.type"]:
            seen.client_certificates.add(found)


def host_of(text):
    """The host of a Host header, without its port."""
    text = text.strip()
    if text.startswith("["):
        return name(text[1:].split("]")[0])
    return name(text.rsplit(":", 1)[0] if text.count(":") == 1 else text)


def distinct_bytes(segments):
    """Bytes of a TCP stream, each counted once. Sequence numbers are taken relative to the first."""
    base = segments[0][0]
    spans = sorted(
        ((start - base + 2**31) % 2**32, (start - base + 2**31) % 2**32 + length)
        for start, length in segments
        if length
    )
    total, reached = 0, -1
    for start, end in spans:
        start = max(start, reached)
        if end > start:
            total += end - start
            reached = end
    return total


def zeek_log(path):
    """The rows of a Zeek TSV log as dictionaries. Logs cut to a few columns have no header."""
    fields, rows = None, []
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("#fields"):
            fields = line.split("\t")[1:]
        elif not line.startswith("#") and fields:
            values = line.split("\t")
            if len(values) == len(fields):
                rows.append(dict(zip(fields, values)))
    return rows


def zeek(folder, logs):
    """What Zeek's expected logs of one test say."""
    seen, asked = Seen(), set()
    for log in logs:
        if not log.endswith(".log") or not (folder / log).exists():
            continue
        rows = zeek_log(folder / log)
        kind = log.split(".")[0]
        if kind == "conn":
            for row in rows:
                zeek_conn(seen, row)
            asked |= {"flows", "payload"}
        elif kind == "dns":
            seen.dns |= {name(row["query"]) for row in rows if row.get("query", "-") not in ("-", "(empty)")
                         and row.get("id.resp_p") not in ("5353", "5355", "137")}  # fmt: skip
            asked.add("dns")
        elif kind in ("ssl", "quic"):
            seen.hosts |= {("sni", name(row["server_name"])) for row in rows if row.get("server_name", "-") not in ("-", "(empty)")}
            asked.add("hosts")
        elif kind == "http":
            seen.hosts |= {("http", host_of(row["host"])) for row in rows if row.get("host", "-") not in ("-", "(empty)")}
            asked.add("hosts")
    return seen, asked


def zeek_conn(seen, row):
    protocol = {"tcp": TCP, "udp": UDP}.get(row.get("proto"))
    if protocol is None or "id.orig_h" not in row:
        return
    client = (address(row["id.orig_h"]), int(row["id.orig_p"]))
    server = (address(row["id.resp_h"]), int(row["id.resp_p"]))
    if stays_on_link(server[0]) or stays_on_link(client[0]):
        return
    sums = seen.flows[conversation(protocol, client, server)]
    for sender, side in ((client, "orig"), (server, "resp")):
        total = sums.setdefault(sender, [0, 0, 0])
        for at, key in enumerate((f"{side}_bytes", f"{side}_ip_bytes", f"{side}_pkts")):
            value = row.get(key, "-")
            if value == "-" or total[at] is None:
                total[at] = None if key.endswith("_bytes") and at == 0 else total[at]
            else:
                total[at] += int(value)


NDPI_FLOW = re.compile(
    r"^\t\d+\t(TCP|UDP) (\S+):(\d+) <?-> (\S+):(\d+) \[proto: [^/\]]*/([^\]]*)\].*?"
    r"\[(\d+) pkts/\d+ bytes <?-> (\d+) pkts/\d+ bytes\]"
)


def ndpi(path):
    """What nDPI's expected result says: packets each way, names and JA4 of TLS, QUIC and HTTP."""
    seen = Seen()
    for line in path.read_text(errors="replace").splitlines():
        found = NDPI_FLOW.match(line)
        if not found:
            continue
        kind, one, one_port, other, other_port, label, up, down = found.groups()
        protocol = TCP if kind == "TCP" else UDP
        try:
            client = (address(one.strip("[]")), int(one_port))
            server = (address(other.strip("[]")), int(other_port))
        except ValueError:
            continue
        if stays_on_link(server[0]) or stays_on_link(client[0]):
            continue
        key = conversation(protocol, client, server)
        sums = seen.flows[key]
        for sender, count in ((client, up), (server, down)):
            sums.setdefault(sender, [None, None, 0])[2] += int(count)
        print_of = re.search(r"\[JA4: ([^\]]+)\]", line)
        if print_of:
            seen.ja4.add((key, print_of.group(1)))
        host = re.search(r"\[Hostname/SNI: ([^\]]+)\]", line)
        master = label.split(".")[0]
        if host and master in ("TLS", "QUIC", "DTLS"):
            seen.hosts.add(("sni", name(host.group(1))))
        elif host and master == "HTTP":
            seen.hosts.add(("http", host_of(host.group(1))))
        elif host and master == "DNS":
            seen.dns.add(name(host.group(1)))
    return seen


def ja4(folder, capture):
    """JA4 of the published fingerprints, from the Python program's and the Rust program's results."""
    seen = Seen()
    python = folder / f"{capture.name}.json"
    if python.exists():
        for row in json.loads(python.read_text() or "[]"):
            for key, value in row.items():
                if re.fullmatch(r"JA4(\.\d+)?", key):
                    ends = [(address(row["src"]), int(row["srcport"])), (address(row["dst"]), int(row["dstport"]))]
                    seen.ja4.add((conversation(UDP if value[0] in "qd" else TCP, *ends), value))
    snapshot = folder / f"ja4__insta@{capture.name}.snap"
    if snapshot.exists():
        row = {}
        for line in snapshot.read_text().splitlines():
            if line.startswith("- stream:"):
                row = {}
            key, _, value = line.strip().lstrip("- ").partition(": ")
            row[key] = value
            if key == "ja4":
                protocol = UDP if row["transport"] == "udp" else TCP
                ends = [(address(row["src"]), int(row["src_port"])), (address(row["dst"]), int(row["dst_port"]))]
                seen.ja4.add((conversation(protocol, *ends), value))
    return seen


def suricata(test_yaml):
    """What a suricata-verify test expects of names, fingerprints and flows."""
    import yaml

    seen = Seen()
    wanted = {"dns": ("dns.rrname", "dns.queries[0].rrname"), "tls": ("tls.sni",), "quic": ("quic.sni",), "http": ("http.hostname",)}
    try:
        document = yaml.safe_load(test_yaml.read_text())
    except yaml.YAMLError:
        return seen
    for check in document.get("checks") or []:
        one = check.get("filter") or {}
        match = one.get("match") or {}
        kind = match.get("event_type")
        if one.get("count", 1) == 0 or kind not in wanted:
            continue
        for key in wanted[kind]:
            if key in match and isinstance(match[key], str):
                text = match[key]
                if kind == "dns":
                    seen.dns.add(name(text))
                else:
                    seen.hosts.add(("http", host_of(text)) if kind == "http" else ("sni", name(text)))
    return seen
