# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules and packets for test_expr.py.

A part has rules as nft takes them, `rules`, and packets. A rule with a counter must
match some of the packets and not others, unless its comment says that it matches all
or none of them.
"""
import struct

from scapy.all import (GRE, ICMP, IP, SCTP, TCP, UDP, ICMPv6EchoRequest, IPv6,
                       IPv6ExtHdrDestOpt, Raw, SCTPChunkData, SCTPChunkInit)

from netlab import host_mac, port_mac
from xt_parts import CUT, FAR4, FAR6, TOPO, back, back6, frame, out, out6, tcp, udp


def chain(hook, lines, family="inet", kind="filter", priority=0):
    """A base chain of rules, in a table of its own."""
    rules = "\n".join("  " + line for line in lines)
    return (f"table {family} {kind}_{hook}_{str(priority).replace('-', 'm')} {{\n chain c {{\n"
            f"  type {kind} hook {hook} priority {priority}\n{rules}\n }}\n}}\n")


def raw_udp(sport, dport, check, data=b"data"):
    """UDP with a checksum field of one's own."""
    return UDP(sport=sport, dport=dport, chksum=check) / Raw(data)


SOME = ([out(10, tcp(1000, 80)), out(10, tcp(1001, 81, "A", ack=5), tos=0x28, ttl=2),
         out(11, udp(2000, 53)), out(11, raw_udp(2001, 53, 0)), out(11, udp(2002, 53), tos=3),
         out(12, ICMP(type=8, id=4, seq=1) / b"ping"), out(13, tcp(3000, 80), ttl=1),
         out(14, tcp(3001, 80, options=[("MSS", 1460)])),
         out6(10, tcp(1000, 80)), out6(11, udp(2000, 53), tc=0x28, fl=0x12345),
         out6(12, ICMPv6EchoRequest(id=3, seq=1, data=b"ping")), out6(13, tcp(5, 80), hlim=1),
         out6(14, IPv6ExtHdrDestOpt() / udp(2003, 53))]
        + CUT)
SCTPS = [out(16, SCTP(sport=9, dport=d, tag=7) / SCTPChunkData(data=b"x" * n)) for d in (80, 81)
         for n in (1, 4)] + [frame("lan", IP(src="10.0.0.16", dst=FAR4, proto=132, id=7)
                                   / Raw(b"\0\x09\0\x50" + b"z" * n)) for n in (0, 4, 8)]

PARTS = [
    {"name": "network header", "packets": SOME, "rules": chain("forward", [
        "ip dscp set cs3 counter", "ip6 dscp set af41 counter", "tcp dport 81 ip ecn set ce counter",
        "udp dport 53 ip ttl set 33 counter", "udp dport 53 ip6 hoplimit set 7 counter",
        "ip ttl 33 counter", "ip saddr 10.0.0.12 ip id set 4660 counter",
        "ip6 flowlabel set 77 counter", "ip saddr 10.0.0.11 ip daddr set 192.0.2.50 counter",
        "ip6 saddr 2001:db8:1::b ip6 daddr set 2001:db8:2::32 counter",
        "ip saddr 10.0.0.14 ip saddr set 10.0.0.99 counter", "ip saddr 10.0.0.99 counter"])},
    {"name": "ttl before routing", "packets": SOME, "rules": chain("prerouting", [
        "tcp dport 80 ip ttl set 1 counter", "udp dport 53 ip6 hoplimit set 1 counter",
        "ip saddr 10.0.0.13 ip ttl set 64 counter", "ip6 saddr 2001:db8:1::d ip6 hoplimit set 64 counter"])},
    {"name": "addresses before routing", "packets": SOME, "rules": chain("prerouting", [
        "tcp dport 80 ip daddr set 10.0.0.50 counter",
        "ip6 saddr 2001:db8:1::b ip6 daddr set 2001:db8:2::32 counter",
        "fib daddr oifname lan counter"], priority=-150) + chain("forward", ["oifname lan counter"])},
    {"name": "ports", "packets": SOME + SCTPS, "rules": chain("forward", [
        "tcp dport set 8080 counter", "udp dport set 5353 counter", "tcp dport 8080 counter",
        "udp sport set 4000 udp sport 4000 counter", "sctp dport set 99 counter",
        "icmp type echo-request icmp id set 99 counter", "icmpv6 type echo-request icmpv6 id set 98 counter",
        "th dport set 1 counter", "tcp flags set fin,ack counter", "tcp window set 1 counter",
        "udp checksum set 0 counter"])},
    {"name": "raw bits", "packets": SOME + SCTPS, "rules": chain("forward", [
        "@nh,64,8 set 0x20 counter", "@th,16,16 set 0x1234 counter", "@th,0,32 set 0x01020304 counter",
        "@th,160,32 set 0xaabbccdd counter", "@th,104,8 set 0x10 counter",
        "@nh,224,16 set 0x0101 counter", "@ll,48,48 set 0x020000001122 counter",
        "ether saddr 02:00:00:00:11:22 counter comment \"all\"", "ether saddr set 02:00:00:00:00:07 counter comment \"all\"",
        "@th,2000,8 set 1 counter comment \"none\""])},
    {"name": "inner", "packets": SOME + [
        out(17, GRE() / IP(src="1.2.3.4", dst="5.6.7.8") / udp(1, 2)),
        out(17, GRE(key_present=1, seqnum_present=1, key=3) / IP(src="1.2.3.4") / udp(1, 2)),
        frame("lan", IP(src="10.0.0.18", dst=FAR4, id=7) / IP(src="1.2.3.4", dst="5.6.7.8") / udp(1, 2)),
        out(19, tcp(1, 80, "A", options=[("MSS", 1460)], data=b"GET / HTTP"))],
     "rules": chain("forward", [
         "udp dport 53 @ih,0,8 0x78 counter", "@ih,0,32 0x47455420 counter", "@ih,96,32 0x01020304 counter",
         "@ih,0,32 set 0x41414141 counter", "@ih,0,32 0x41414141 counter"])},
    {"name": "before conntrack", "packets": [
        out(20, tcp(1000, 80, "S", 100)), back(20, tcp(8080, 1000, "SA", 500, 101)),
        out(20, tcp(1000, 80, "A", 101, 501)), out(20, tcp(1000, 80, "PA", 101, 501, data=b"hi")),
        back(20, tcp(8080, 1000, "A", 501, 103)), out(20, tcp(1000, 80, "PA", 103, 501, data=b"ho")),
        out(21, udp(5, 53)), back(21, udp(5353, 5)), out(21, udp(5, 53)), out(21, udp(5, 53))] + SOME,
     "rules": chain("prerouting", ["tcp dport 80 tcp dport set 8080 counter",
                                   "udp dport 53 udp dport set 5353 counter",
                                   "ip saddr 10.0.0.20 tcp flags & psh != 0 @th,112,16 set 5 counter"],
                    priority=-300) + chain("forward", [
                        "ct state new counter", "ct state established counter",
                        "ct state invalid counter", "meta l4proto tcp ct original proto-dst 8080 counter"])},
    {"name": "after conntrack, with nat", "packets": [
        out(22, tcp(1000, 80, "S", 100)), out(22, tcp(1000, 80, "S", 100)),
        out(23, udp(5, 53)), out(23, udp(5, 53)), out(23, udp(6, 53)), out(23, raw_udp(9, 53, 0))],
     "rules": chain("forward", ["ip daddr set 192.0.2.50 counter comment \"all\"", "tcp dport set 8080 counter",
                                "ct state new counter comment \"all\""])
     + chain("postrouting", ["ip saddr set 9.9.9.9 counter comment \"all\""], priority=50)
     + chain("postrouting", ["snat ip to 192.0.2.100"], kind="nat", priority=100)},
    {"name": "devices", "packets": SOME,
     "rules": "table netdev d {\n chain i {\n  type filter hook ingress device lan priority 0\n  "
     + "\n  ".join(["ip dscp set cs3 counter", "tcp dport 80 ip ttl set 9 counter",
                    "udp dport 53 udp dport set 54 counter", "ip saddr 10.0.0.12 @nh,64,8 set 5 counter",
                    "ip6 saddr 2001:db8:1::c ip6 saddr set ::1 counter",
                    "ip saddr 10.0.0.13 ip daddr set 192.0.2.40 counter"])
     + "\n }\n chain e {\n  type filter hook egress device wan priority 0\n  "
     + "\n  ".join(["ip dscp set cs5 counter", "udp dport 54 ether daddr set 02:00:00:00:00:99 counter",
                    "ip ttl 8 counter", "ip6 hoplimit set 3 counter"])
     + "\n }\n}\n" + chain("forward", ["udp dport 54 counter", "ip daddr 192.0.2.40 counter"])},
    {"name": "structure", "packets": SOME, "rules": chain("forward", [
        "ip saddr 10.0.0.12 ip protocol set 17 meta l4proto icmp counter",
        "ip saddr 10.0.0.14 ip length set 21 counter", "ip saddr 10.0.0.11 ip frag-off set 185 counter",
        "ip6 saddr 2001:db8:1::c ip6 nexthdr set 17 counter"], priority=-10)
     + chain("forward", ["meta l4proto udp counter", "meta length 21 counter comment \"none\"",
                         "udp dport 53 counter", "@th,0,8 != 0 counter", "icmp type echo-request counter comment \"none\"",
                         "icmpv6 type echo-request counter comment \"none\""])},
]
