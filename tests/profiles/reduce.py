"""A capture of one program's run becomes contacts: times and sizes, and the names of hosts.

Nothing that was said is kept but, where it was in clear, the paths asked for. Addresses are used to
tell connections apart and are not kept.
"""

import struct
from collections import namedtuple

# One connection. `bursts`: (ms since it began, "+" up or "-" down, bytes, path or None).
Contact = namedtuple("Contact", "offset_ms host port over lasted_ms ending bursts")

# Payload of one way that follows this soon belongs to the same burst, in seconds: below the gaps
# between the pieces of a streamed answer.
SAME_BURST_S = 0.015
# Pieces of a bulk download and of an upload belong together for longer: what lies between them is the
# network's doing.
SAME_BULK_S = 0.5
BULK_BYTES = 4096

# Smallest sealed record that can hold a request; smaller ones are acknowledgements and windows of
# HTTP/2, which say nothing by their time.
LEAST_REQUEST_BYTES = 60

# Sealed HTTP/2 windows, as curl and Go send them: one or two frames in a record.
WINDOW_BYTES = (35, 48)

# Bytes kept of what each side says first, to find names.
HEAD_BYTES = 16_384

LINKTYPE_ETHERNET = 1


def packets(path):
    """Yields (seconds, TCP/IP packet) of a capture with an Ethernet header."""
    with open(path, "rb") as file:
        head = file.read(24)
        magic, *_, link = struct.unpack("<IHHiIII", head)
        unit = {0xA1B2C3D4: 1e-6, 0xA1B23C4D: 1e-9}[magic]
        assert link == LINKTYPE_ETHERNET, f"link type {link}"
        while len(head := file.read(16)) == 16:
            seconds, fraction, kept, _ = struct.unpack("<IIII", head)
            yield seconds + fraction * unit, file.read(kept)[14:]


class Way:
    """What one side sent."""

    def __init__(self):
        self.next = None
        self.head = b""
        self.bytes = 0

    def take(self, sequence, payload, length):
        """Counts what is new; gives its bytes."""
        if length == 0:
            return 0
        if self.next is None:
            self.next = sequence
        end = (sequence + length) & 0xFFFFFFFF
        new = (end - self.next) & 0xFFFFFFFF
        if new == 0 or new > 0x7FFFFFFF:
            return 0
        if len(self.head) < HEAD_BYTES and self.bytes == len(self.head):
            self.head += payload[max(length - new, 0):]
        self.next = end
        self.bytes += new
        return new


class Connection:
    """A TCP connection while its packets come in."""

    def __init__(self, at, server_port):
        self.began, self.ended = at, at
        self.server_port = server_port
        self.up, self.down = Way(), Way()
        self.pieces = []  # (at, sign, bytes)
        self.ending = "open"

    def take(self, at, sign, flags, sequence, payload, length):
        way = self.up if sign == "+" else self.down
        if flags & 0x02:  # SYN
            way.next = (sequence + 1) & 0xFFFFFFFF
            return
        new = way.take(sequence, payload, length)
        if new:
            self.pieces.append((at, sign, new))
        if self.ending == "open":
            if flags & 0x04:  # RST
                self.ending = "client-resets" if sign == "+" else "server-closes"
                self.ended = at
            elif flags & 0x01:  # FIN
                self.ending = "client-closes" if sign == "+" else "server-closes"
                self.ended = at
        if new:
            self.ended = max(self.ended, at)


def connections(path, client):
    """The connections that the address `client` made, in the order of their beginning."""
    found, order = {}, []
    for at, packet in packets(path):
        if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != 6:
            continue
        ip_head = (packet[0] & 15) * 4
        length = struct.unpack("!H", packet[2:4])[0]
        source, target = packet[12:16], packet[16:20]
        sport, dport, sequence = struct.unpack("!HHI", packet[ip_head:ip_head + 8])
        tcp_head = (packet[ip_head + 12] >> 4) * 4
        flags = packet[ip_head + 13]
        payload = packet[ip_head + tcp_head:]
        length -= ip_head + tcp_head
        sign = "+" if source == client else "-"
        key = (sport, target, dport) if sign == "+" else (dport, source, sport)
        if sign == "+" and flags & 0x12 == 0x02 and key not in found:
            found[key] = Connection(at, dport)
            order.append(found[key])
        if key in found:
            found[key].take(at, sign, flags, sequence, payload, length)
    return [connection for connection in order if connection.pieces]


def hello_length_and_name(head):
    """Bytes of the ClientHello's record, and the server name in it."""
    if head[:1] != b"\x16" or head[5:6] != b"\x01":
        return None
    length = 5 + struct.unpack("!H", head[3:5])[0]
    at = 5 + 4 + 2 + 32
    at += 1 + head[at]
    at += 2 + struct.unpack("!H", head[at:at + 2])[0]
    at += 1 + head[at]
    until = at + 2 + struct.unpack("!H", head[at:at + 2])[0]
    at += 2
    while at + 4 <= until:
        kind, size = struct.unpack("!HH", head[at:at + 4])
        if kind == 0:
            return length, head[at + 9:at + 4 + size].decode("ascii")
        at += 4 + size
    return None


def finished_length(head):
    """Bytes of a TLS 1.3 client's compatibility record and Finished, after the hello."""
    length = 6 if head[:1] == b"\x14" else 0
    if head[length:length + 1] == b"\x17":
        length += 5 + struct.unpack("!H", head[length + 3:length + 5])[0]
    return length


def requests_in_clear(head):
    """(bytes, path) of each request without a body."""
    found = []
    while b"\r\n\r\n" in head:
        length = head.index(b"\r\n\r\n") + 4
        found.append((length, head.split(b" ", 2)[1].decode("ascii")))
        head = head[length:]
    return found


def host_in_clear(head):
    """The host that the first request is for."""
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"host:"):
            return line[5:].strip().decode("ascii").split(":")[0]
    return None


def cut(pieces, lengths):
    """Cuts the first pieces up so that they end at each of `lengths` (bytes, path). A request that came
    in parts is told with its last one."""
    wanted = list(lengths)
    out, begun = [], 0
    for at, sign, size in pieces:
        while sign == "+" and wanted and size:
            length, path = wanted[0]
            part = min(size, length - begun)
            begun, size = begun + part, size - part
            if begun == length:
                out.append((at, sign, length, path, True))
                wanted.pop(0)
                begun = 0
        if size:
            out.append((at, sign, size, None, False))
    if begun:
        out.append((pieces[-1][0], "+", begun, None, False))
    return out


def bursts_of(began, pieces):
    """Pieces that belong together become one."""
    bursts = []  # [began, sign, bytes, path, closed, ended]
    for at, sign, size, path, closes in pieces:
        last = bursts[-1] if bursts else None
        if last and last[1] == sign and not last[4] and last[3] == path:
            gap = at - last[5]
            bulk = sign == "+" or (last[2] >= BULK_BYTES and size >= 1200)
            if gap <= SAME_BURST_S or (bulk and gap <= SAME_BULK_S):
                last[2] += size
                last[4] = closes
                last[5] = at
                continue
        bursts.append([at, sign, size, path, closes, at])
    return fold(bursts, began)


def fold(bursts, began):
    """Acknowledgements and windows amid a download are told with the next thing said; then the parts
    of the download are one. The sum of each way stays."""
    out, owed = [], 0
    for index, (at, sign, size, path, closes, ended) in enumerate(bursts):
        amid = 0 < index < len(bursts) - 1 and bursts[index - 1][1] == "-" == bursts[index + 1][1]
        if sign == "+" and amid and not closes and is_window(size):
            owed += size
            continue
        if sign == "+":
            size, owed = size + owed, 0
        elif out and out[-1][1] == "-" and (
            at - out[-1][4] <= SAME_BURST_S
            or (out[-1][2] >= BULK_BYTES and at - out[-1][4] <= SAME_BULK_S)
        ):
            out[-1][2] += size
            out[-1][4] = ended
            continue
        out.append([at, sign, size, path, ended])
    if owed:
        out.append([bursts[-1][5], "+", owed, None, bursts[-1][5]])
    return [(round(1000 * (at - began)), sign, size, path) for at, sign, size, path, _ in out]


def is_window(size):
    return size < LEAST_REQUEST_BYTES or any(size % record == 0 for record in WINDOW_BYTES)


def contacts(path, client):
    """The contacts of a run, from the first one on."""
    found = []
    all_of_them = connections(path, client)
    for connection in all_of_them:
        head = connection.up.head
        hello = hello_length_and_name(head)
        if hello:
            length, host = hello
            parts = [(length, None)]
            finished = finished_length(head[length:])
            if finished:
                parts.append((finished, None))
            over = "tls"
        else:
            host, over = host_in_clear(head), "clear"
            parts = requests_in_clear(head)
        if host is None:
            raise ValueError(f"a connection to port {connection.server_port} without a name")
        bursts = bursts_of(connection.began, cut(connection.pieces, parts))
        check(connection, bursts)
        offset = round(1000 * (connection.began - all_of_them[0].began))
        lasted = round(1000 * (connection.ended - connection.began))
        ending = "client-closes" if connection.ending == "open" else connection.ending
        found.append(
            Contact(offset, host, connection.server_port, over, lasted, ending, bursts)
        )
    return found


def check(connection, bursts):
    for sign, way in (("+", connection.up), ("-", connection.down)):
        told = sum(size for _, s, size, _ in bursts if s == sign)
        if told != way.bytes:
            raise ValueError(f"{told} bytes told of {way.bytes} {sign}")
