# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the ports and checksums of a frame are, and how to change a port as NAT does."""
from typing import NamedTuple

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
CHECKSUM_AT = {TCP: 16, UDP: 6}
ERRORS = {ICMP: {3, 4, 5, 11, 12}, ICMPV6: {1, 2, 3, 4}}
ECHO = {ICMP: (8, 0), ICMPV6: (128, 129)}       # request, reply
EXT_HEADERS = {0, 43, 60}                       # hop-by-hop, routing, destination options


class Ip(NamedTuple):
    """An IP header within a frame: offsets count from the frame's start."""
    version: int
    at: int
    proto: int
    l4: int         # where the L4 header begins
    src: bytes
    dst: bytes
    ttl: int
    ident: int      # IPv4 identification, else -1
    fragment: bool
    first: bool     # has the L4 header: whole, or the first fragment


class Endpoint(NamedTuple):
    """One side of a tuple that the frame carries: itself or in an ICMP error's quote."""
    proto: int
    addr: bytes
    port: int       # TCP or UDP port; the identifier of an ICMP echo
    peer: bytes
    peer_port: int
    port_at: int
    sums: tuple     # the places of the checksums that cover it, innermost first

    def key(self, port=None):
        """The tuple as seen from this side, with another port if one is given."""
        return (self.proto, self.addr, self.port if port is None else port, self.peer,
                self.peer_port)


def word(b, at):
    return b[at] << 8 | b[at + 1]


def parse_ip(b, at):
    """The IP header at an offset, or None where there is no whole one."""
    if at >= len(b):
        return None
    version = b[at] >> 4
    if version == 4 and len(b) >= at + 20:
        ihl = (b[at] & 15) * 4
        if ihl < 20:
            return None
        off = word(b, at + 6)
        return Ip(4, at, b[at + 9], at + ihl, bytes(b[at + 12:at + 16]), bytes(b[at + 16:at + 20]),
                  b[at + 8], word(b, at + 4), bool(off & 0x3fff), not off & 0x1fff)
    if version == 6 and len(b) >= at + 40:
        proto, l4, fragment, first = b[at + 6], at + 40, False, True
        while first and (proto in EXT_HEADERS or proto == 44) and l4 + 8 <= len(b):
            if proto == 44:
                fragment, first = True, not word(b, l4 + 2) & 0xfff8
                proto, l4 = b[l4], l4 + 8
            else:
                proto, l4 = b[l4], l4 + (b[l4 + 1] + 1) * 8
        return Ip(6, at, proto, l4, bytes(b[at + 8:at + 24]), bytes(b[at + 24:at + 40]), b[at + 7],
                  -1, fragment, first)
    return None


def frame_ip(frame):
    """The IP header of an Ethernet frame without a VLAN tag, or None."""
    if len(frame) < 14 or word(frame, 12) not in (0x0800, 0x86dd):
        return None
    return parse_ip(frame, 14)


def icmp_type(frame, ip):
    """The ICMP type, or None for anything else."""
    if ip and ip.proto in (ICMP, ICMPV6) and ip.first and ip.l4 < len(frame):
        return frame[ip.l4]
    return None


def is_icmp_error(frame, ip):
    return icmp_type(frame, ip) in ERRORS.get(ip.proto if ip else -1, ())


def endpoints(frame):
    """Every endpoint of a frame: two for a tuple with ports, one for an echo, those of a quote."""
    ip = frame_ip(frame)
    return _endpoints(frame, ip, ()) if ip else []


def _endpoints(b, ip, outer_sums):
    if not ip.first:
        return []
    at = ip.l4
    if ip.proto in CHECKSUM_AT and len(b) >= at + 4:
        csum = at + CHECKSUM_AT[ip.proto]
        sums = outer_sums
        if len(b) >= csum + 2 and not (ip.proto == UDP and word(b, csum) == 0):
            sums = (csum,) + outer_sums
        s, d = word(b, at), word(b, at + 2)
        return [Endpoint(ip.proto, ip.src, s, ip.dst, d, at, sums),
                Endpoint(ip.proto, ip.dst, d, ip.src, s, at + 2, sums)]
    if ip.proto in ECHO and len(b) >= at + 8:
        sums = (at + 2,) + outer_sums
        request, reply = ECHO[ip.proto]
        if b[at] == request:
            return [Endpoint(ip.proto, ip.src, word(b, at + 4), ip.dst, 0, at + 4, sums)]
        if b[at] == reply:
            return [Endpoint(ip.proto, ip.dst, word(b, at + 4), ip.src, 0, at + 4, sums)]
        if b[at] in ERRORS[ip.proto] and not outer_sums:
            quote = parse_ip(b, at + 8)
            return _endpoints(b, quote, (at + 2,)) if quote else []
    return []


def set_word(b, at, value, sums):
    """Change a 16-bit word and the checksums that cover it, by RFC 1624."""
    old = word(b, at)
    b[at:at + 2] = value.to_bytes(2, "big")
    if sums and old != value:
        total = (~word(b, sums[0]) & 0xffff) + (~old & 0xffff) + value
        total = (total & 0xffff) + (total >> 16)
        total = (total & 0xffff) + (total >> 16)
        # The changed checksum is itself a word under the next one out; so is this word.
        for outer in sums[1:]:
            set_word_sum(b, outer, old, value)
        set_word(b, sums[0], ~total & 0xffff, sums[1:])


def set_word_sum(b, at, old, new):
    """Tell the checksum at an offset that a word under it went from old to new."""
    total = (~word(b, at) & 0xffff) + (~old & 0xffff) + new
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    b[at:at + 2] = (~total & 0xffff).to_bytes(2, "big")


def set_port(b, endpoint, port):
    """Change an endpoint's port in a bytearray, checksums kept as right or wrong as they were."""
    set_word(b, endpoint.port_at, port, endpoint.sums)


def checksum_places(frame):
    """The offsets of all checksums of a frame; where 0 and 0xffff are the same number."""
    ip = frame_ip(frame)
    if not ip:
        return []
    places = {s for e in endpoints(frame) for s in e.sums}
    return sorted(places | ({ip.at + 10} if ip.version == 4 else set()))


def _sum(data):
    total = sum(int.from_bytes(data[i:i + 2].ljust(2, b"\0"), "big")
                for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def sums_right(frame):
    """Are the IPv4 header's and the TCP or UDP checksum of a frame right?"""
    ip = frame_ip(frame)
    if not ip:
        return True
    if ip.version == 4 and _sum(frame[14:14 + (frame[14] & 15) * 4]) != 0xffff:
        return False
    if ip.proto not in (TCP, UDP) or ip.fragment:
        return True
    end = 14 + word(frame, 16) if ip.version == 4 else 54 + word(frame, 18)
    l4 = frame[ip.l4:end]
    if ip.proto == UDP and word(frame, ip.l4 + 6) == 0:
        return ip.version == 4
    return _sum(ip.src + ip.dst + bytes((0, ip.proto)) + len(l4).to_bytes(2, "big") + l4) == 0xffff
