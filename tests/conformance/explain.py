"""Why egret and a reference differ, where the difference is known and right."""

# SHA-256 of nothing, and what JA4's specification writes instead.
NOTHING = ("e3b0c44298fc", "000000000000")


def explain(reference, quantity, capture, item, own, said):
    """The reason in a line; None where there is none known."""
    if own.refused:
        return "the capture is of a link type without IP, or damaged: egret refuses it with a message"
    if reference == "nDPI" and quantity == "ja4":
        return fingerprint(item, own)
    if quantity == "certificates":
        return certificate(item, own)
    if quantity == "dns":
        return dns(reference, capture, item, said)
    if quantity == "hosts":
        return host(item)
    if quantity in ("flows", "packets", "wire", "payload"):
        return flow(reference, quantity, item, own, said)
    return None


def dns(reference, capture, item, said):
    if reference == "tshark" and item in said.only_answered - said.asked:
        return "only an answer was captured: egret believes no answer that nobody was seen to ask for"
    if reference == "nDPI" and ("_" in item or len(item) >= 75):
        return "nDPI replaces characters of names, and cuts long ones"
    if "dns-over-http" in str(capture) or "dns_over_http" in str(capture):
        return "the question is in the body of an HTTP/2 request, which egret does not read"
    return None


def host(item):
    kind, name = item
    if name.startswith("239.") and kind == "http":
        return None
    if "%" in name or " " in name:
        return "no host name: the capture was damaged on purpose"
    return None


# Ports of what Zeek tells as flows beside what is in them.
TUNNEL_PORTS = {3544, 4789, 6081, 2152, 4754, 5555, 8472}


def flow(reference, quantity, item, own, said):
    conversation = item if quantity == "flows" else item[0]
    if conversation in said.overlong:
        return "the IP header announces more than the frame holds; egret counts what was on the wire"
    if reference == "Zeek" and TUNNEL_PORTS & {end[1] for end in conversation[1:]}:
        return "the tunnel's own flow, which Zeek tells beside what is in it; egret tells what is in it"
    if conversation not in own.flows and is_proxied(conversation, own):
        return "told under the target of the CONNECT or SOCKS tunnel, and not under the proxy's port"
    return None


def is_proxied(conversation, own):
    """Whether one end of a conversation has its flow, with another other end."""
    ends = set(conversation[1:])
    return any(key[0] == conversation[0] and len(ends & set(key[1:])) == 1 for key in own.flows)


def fingerprint(item, own):
    """nDPI departs from JA4's specification in three places. FoxIO's own results do not."""
    conversation, theirs = item
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


def certificate(item, own):
    conversation, shown = item
    ends = set(conversation[1:])
    if any(digest == shown and ends & set(key[1:]) for key, digest in own.certificates):
        return "told under the target of the CONNECT or SOCKS tunnel, which tshark keys by the proxy"
    if any(key == conversation for key, _ in own.certificates):
        return "the client's own certificate; egret tells the server's"
    if any(end[1] == 1194 for end in conversation[1:]):
        return "the handshake is inside OpenVPN"
    return None
