# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames for a router of netlab.py, built by hand. Checksums are right unless asked otherwise."""
import ipaddress
import struct

from netlab import host_mac, port_mac

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def sum16(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def _mac(text):
    return bytes.fromhex(text.replace(":", ""))


def _packed(address):
    return ipaddress.ip_address(address).packed


def _with_sum(src, dst, proto, body, at):
    """An L4 header whose checksum covers the pseudo header; at: where it is, None without."""
    if at is None:
        return body
    pseudo = _packed(src) + _packed(dst) + struct.pack("!IHH", len(body), 0, proto)
    if proto == ICMP:
        pseudo = b""
    value = sum16(pseudo + body)
    if proto == UDP and value == 0:
        value = 0xffff
    return body[:at] + struct.pack("!H", value) + body[at + 2:]


def ip(port, src, dst, proto, body, ttl=64, ident=1, tos=0, options=b"", frag=0, ext=b"",
       sum_at=None, mac=None):
    """
    A frame that a host sends to the Nth port of the router, counted from 1.
    sum_at: where in body the L4 checksum is. options: IPv4's, of whole words. frag: IPv4's
    fragment word. ext: IPv6 extension headers, whose first byte is the type of the first one.
    """
    if not frag & 0x1fff:
        body = _with_sum(src, dst, proto, body, sum_at)
    if ":" in src:
        first, ext = (ext[0], ext[1:]) if ext else (proto, b"")
        head = struct.pack("!IHBB", 6 << 28 | tos << 20, len(ext) + len(body), first, ttl)
        head, kind = head + _packed(src) + _packed(dst) + ext, 0x86dd
    else:
        words = 5 + len(options) // 4
        head = struct.pack("!BBHHHBBH", 0x40 | words, tos, words * 4 + len(body), ident, frag,
                           ttl, proto, 0) + _packed(src) + _packed(dst) + options
        head, kind = head[:10] + struct.pack("!H", sum16(head)) + head[12:], 0x0800
    to = mac or port_mac(port)
    return _mac(to) + _mac(host_mac(src)) + struct.pack("!H", kind) + head + body


def udp(port, src, sport, dst, dport, data=b"data", **how):
    body = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return ip(port, src, dst, UDP, body, sum_at=6, **how)


def tcp(port, src, sport, dst, dport, flags, seq=1, ack=0, data=b"", options=b"", **how):
    body = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, (20 + len(options)) // 4 << 4, flags,
                       8192, 0, 0) + options + data
    return ip(port, src, dst, TCP, body, sum_at=16, **how)


def icmp(port, src, dst, kind, code=0, rest=b"\0\1\0\1ping", **how):
    body = bytes([kind, code, 0, 0]) + rest
    return ip(port, src, dst, ICMPV6 if ":" in src else ICMP, body, sum_at=2, **how)
