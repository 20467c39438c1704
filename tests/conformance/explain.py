"""Why egret and a reference differ, where the difference is known and right.

A reason is given only where the capture itself shows it: `wire` is what tshark says of the same
capture, with the marks that `theirs.tshark` sets on what is odd.
"""

from ours import is_address

# SHA-256 of nothing, and what JA4's specification writes instead.
NOTHING = ("e3b0c44298fc", "000000000000")

TUNNELED = "told under the target of the CONNECT or SOCKS tunnel, and not under the proxy's port"

PLACES = {"payload": 0, "wire": 1, "packets": 2}


def explain(reference, quantity, capture, item, own, wire):
    """The reason in a line; None where there is none known."""
    if own.refused:
        return "the capture is of a link type without IP, or damaged: egret refuses it with a message"
    if own.is_export:
        return "the capture holds NetFlow datagrams only: egret reads what they tell"
    if quantity == "ja4":
        return fingerprint(reference, item, own)
    if quantity == "certificates":
        return certificate(item, own, wire)
    if quantity == "dns":
        return dns(reference, capture, item, wire)
    if quantity == "hosts":
        return host(reference, item, wire)
    if quantity == "flows":
        return flow(reference, item, own, wire)
    if quantity in PLACES:
        return volume(reference, quantity, item, own, wire) or flow(reference, item[0], own, wire)
    return None


def dns(reference, capture, item, wire):
    if item in wire.only_answered - wire.asked:
        return "only an answer was captured: egret believes no answer that nobody was seen to ask for"
    if reference == "nDPI" and ("_" in item or len(item) >= 75):
        return "nDPI replaces characters of names, and cuts long ones"
    if reference == "nDPI" and wire.has_other_opcode and is_address(item):
        return "an inverse query, which RFC 3425 retired: it has no name, and nDPI shows the address"
    if "dns-over-http" in str(capture) or "dns_over_http" in str(capture):
        return "the question is in the body of an HTTP/2 request, which egret does not read"
    if item.startswith("<"):
        return "tshark's own words for a name that is none"
    if item in wire.asked_elsewhere:
        return "on no DNS port, and from the end that was spoken to: egret takes questions of clients"
    return None


def host(reference, item, wire):
    kind, name = item
    if item in wire.malformed_hosts:
        return "the hello is damaged, as tshark says too: no server would take it"
    if name in wire.ssdp_hosts:
        return "SSDP, which has the form of HTTP but goes to a multicast group in datagrams"
    if kind == "http" and name in wire.misdirected:
        return "the Host header is an address, and not the one that was contacted, which egret tells"
    if "%" in name or " " in name:
        return "no host name: the capture was damaged on purpose"
    if reference != "tshark" and kind == "http" and item not in wire.hosts:
        return f"{reference} reads a damaged header otherwise; tshark reads it as egret does"
    return None


# Ports of what Zeek tells as flows beside what is in them.
TUNNEL_PORTS = {3544, 4754, 4789, 4790, 6081, 2152, 5555, 8472}


def flow(reference, conversation, own, wire):
    if conversation in wire.bad_header:
        return "the TCP header announces a length that it cannot have: egret counts it as malformed"
    if conversation in wire.aggregated:
        return "several packets in one wireless frame (A-MSDU): egret counts it as malformed"
    if reference == "Zeek" and TUNNEL_PORTS & {end[1] for end in conversation[1:]}:
        return "the tunnel's own flow, which Zeek tells beside what is in it; egret tells what is in it"
    if carries_teredo(conversation, own, wire):
        return "Teredo between two ports that are nobody's: egret tells what is in it"
    if conversation not in own.flows and is_proxied(conversation, own.flows):
        return TUNNELED
    return None


def volume(reference, quantity, item, own, wire):
    """Why a sum of one direction of a conversation differs."""
    conversation, sender, _ = item
    place = PLACES[quantity]
    ours = own.flows.get(conversation, {}).get(sender, [0, 0, 0])[place]
    seen = wire.flows.get(conversation, {}).get(sender, [0, 0, 0])[place]
    errors = wire.errors.get((conversation, sender), [0, 0, 0])[place]
    short = wire.short.get((conversation, sender), [0, 0, 0])[place]
    if reference != "tshark" and ours == seen:
        return f"{reference} counts otherwise; tshark counts as egret does"
    if errors and ours == seen + errors:
        return "egret counts an ICMP error about a conversation with it"
    if short and ours == seen + short:
        return "too short for a TCP header: egret counts it by its ports, tshark does not"
    if conversation in wire.overlong:
        return "the IP header announces more than the frame holds; egret counts what was on the wire"
    if quantity == "payload" and conversation in wire.repeated:
        return "the same fragment twice: egret puts a packet together once"
    if quantity == "payload" and (conversation, sender) in wire.backwards:
        return "pieces of one stream in the wrong order: what comes before the first counts as repeated"
    if quantity == "payload" and wire.leaps and conversation in own.split:
        return "the clock of the capture leaps by hours: a repetition after it counts as a new flow's"
    return None


def carries_teredo(conversation, own, wire):
    """Whether egret alone looked into datagrams between IPv4 addresses and found Teredo's clients."""
    is_outer = conversation[0] == 17 and ":" not in conversation[1][0]
    inside = {key for key in own.flows if any(end[0].startswith("2001:0:") for end in key[1:])}
    return is_outer and conversation in wire.flows and bool(inside - set(wire.flows))


def is_proxied(conversation, told):
    """Whether one end of a conversation is in one that was told, with another other end."""
    ends = set(conversation[1:])
    return any(key[0] == conversation[0] and len(ends & set(key[1:])) == 1 for key in told)


def fingerprint(reference, item, own):
    """nDPI departs from JA4's specification in three places. FoxIO's own results do not."""
    conversation, theirs = item
    if is_proxied(conversation, [key for key, ours in own.ja4 if ours == theirs]):
        return TUNNELED
    if reference != "nDPI":
        return None
    for key, ours in own.ja4:
        if key != conversation or not is_alike(theirs, ours):
            continue
        if theirs[1:3] == "s3" and theirs[0] == "d":
            return "nDPI writes DTLS before 1.0 as SSL 3.0; the specification has no word for it"
        if theirs[3] != ours[3]:
            return "nDPI writes d (a name was asked for) where the hello has no such extension, or i where it names an address"
        if theirs[8:10] != ours[8:10]:
            return "nDPI takes other characters of the ALPN value than its first and last"
        if theirs[1:3] != ours[1:3]:
            return "nDPI takes the version of the hello, and not the highest that is offered"
        return "nDPI writes the hash of an empty list; the specification says zeros"
    return None


def is_alike(one, other):
    """Whether two fingerprints differ only where nDPI departs from the specification."""
    bare = [f"{text[0]}{text[4:8]}{text[10:]}".replace(*NOTHING) for text in (one, other)]
    return bare[0] == bare[1]


def certificate(item, own, wire):
    conversation, shown = item
    ends = set(conversation[1:])
    if any(digest == shown and ends & set(key[1:]) for key, digest in own.certificates):
        return "told under the target of the CONNECT or SOCKS tunnel, which tshark keys by the proxy"
    if item in wire.client_certificates:
        return "the client's own certificate; egret tells the server's"
    if any(end[1] == 1194 for end in conversation[1:]):
        return "the handshake is inside OpenVPN"
    return None
