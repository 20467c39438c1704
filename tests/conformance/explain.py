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
    return None


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
