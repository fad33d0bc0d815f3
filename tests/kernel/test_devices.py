#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Chains at ingress and egress of a port, in Linux and in shuntd.

usage: test_devices.py [--build BUILD]
The same frames, IP and not, go through both routers, most of them as flows that
settle. Equal must be: what comes out, and what `nft list ruleset` says afterwards,
counters and elements too. Exit status: 0 equal, 1 different, 77 skipped (not root, no
shuntd).
"""
import argparse
import json
import os
import struct
import sys

from netlab import port_mac
from packets import ACK, PSH, SYN, _mac, _packed, icmp, ip, tcp, udp
from routers import KernelRouter, ShuntRouter
from run import load
from test_trace import A, A6, B, B6, LAN, TOPO, WAN

NAMES = {LAN: "lan", WAN: "wan"}
RULES = """
table netdev dev {
	set seen { type ipv4_addr . inet_service; flags dynamic; size 100; }
	set macs { type ether_addr; elements = { 02:00:00:00:00:77 } }
	chain in {
		type filter hook ingress devices = { "lan", "wan" } priority 0; policy accept;
		ip saddr 10.0.1.5 counter comment "ip"
		ip saddr 10.0.1.5 meta length 32 counter
		iifname "lan" ip saddr 10.0.1.5 counter
		iifname "wan" ip saddr 10.0.2.5 counter
		ip saddr 10.0.1.5 oif 0 counter
		ip saddr 10.0.1.5 oiftype ether counter
		ip saddr 10.0.1.5 iiftype ether counter
		ip daddr 10.0.1.1 udp dport 53 fib daddr type local counter drop
		ip saddr 10.0.1.5 udp dport 53 add @seen { ip saddr . udp sport } counter
		ip saddr 10.0.1.5 fib daddr type local counter
		ip saddr 10.0.1.5 meta pkttype broadcast counter
		ip saddr 10.0.1.5 meta pkttype other counter
		ip saddr 10.0.1.5 meta pkttype host counter
		ip6 saddr 2001:db8:1::5 counter
		ip6 saddr 2001:db8:1::5 tcp dport 80 counter
		ip daddr 10.0.2.5 ip protocol tcp tcp flags syn counter
		ether type 0x88b5 counter
		ether type 0x88b5 meta length 20 counter
		ether type 0x88b5 @nh,0,16 0x6162 counter
		ether type 0x88b5 @nh,152,16 0-65535 counter
		ether type 0x88b5 @th,0,8 0-255 counter
		ether type 0x88b5 meta l4proto 0-255 counter
		ether type 0x88b5 fib daddr type local counter
		ether type 0x88b5 jump other
		meta protocol 0x88b5 counter
		meta protocol 4 @ll,0,48 0x020000000077 counter
		meta protocol arp arp saddr ip 10.0.1.5 counter
		meta protocol arp arp operation reply arp saddr ip 10.0.1.5 arp daddr ip 10.0.1.1 counter
		ip version 5 meta protocol ip counter
		ether type 0x88b5 @nh,8,8 set 1
		ether type 0x88b5 @nh,0,16 0x6101 counter
		udp sport 7302 ip ttl set 9
		udp dport 66 counter drop
		udp dport 67 meta mark set 5
		udp dport 69 notrack
	}
	chain other { ether daddr @macs counter drop; ether daddr != @macs counter; }
	chain late {
		type filter hook ingress device "lan" priority 10; policy drop;
		ip saddr 10.0.1.5 udp dport 65 counter
		ip saddr 10.0.1.5 counter accept
		ip6 saddr 2001:db8:1::5 counter accept
		ether type 0x88b5 counter accept
		meta protocol { arp, ip6 } accept
	}
	chain out {
		type filter hook egress devices = { "lan", "wan" } priority 0; policy accept;
		ip daddr 10.0.2.5 counter
		ip daddr 10.0.2.5 meta length 46 counter
		ip daddr 10.0.2.5 udp dport 68 counter drop
		oifname "wan" ip saddr 10.0.1.5 counter
		oifname "lan" ip saddr 10.0.2.5 counter
		ip saddr 10.0.1.5 iif 0 counter
		ip saddr 10.0.1.5 oiftype ether counter
		ip saddr 10.0.1.5 ether type ip counter
		ip daddr 10.0.1.5 icmp type time-exceeded counter
		ip daddr 10.0.1.5 icmp type time-exceeded @ll,96,16 0x0800 counter
		ip6 daddr 2001:db8:2::5 counter
		ip saddr 10.0.1.5 meta mark 5 counter
		ip saddr 10.0.1.5 ip ttl 63 counter
		udp sport 7303 ip dscp set cs1
		udp sport 7103 ip6 hoplimit set 77
		ip saddr 10.0.1.5 quota 300 bytes counter
	}
}
table inet five {
	chain in {
		type filter hook ingress device "lan" priority -5; policy accept;
		ip saddr 10.0.1.5 ct state invalid counter
		ip saddr 10.0.1.5 ct state new,established,untracked counter
		meta nfproto ipv4 ip saddr 10.0.1.5 counter
		meta nfproto ipv6 ip6 saddr 2001:db8:1::5 counter
		udp dport 71 counter drop
		ip saddr 10.0.1.5 limit rate over 1000000/second counter drop
	}
	chain raw { type filter hook prerouting priority raw; meta mark 5 counter; ip saddr 10.0.1.5 counter; }
	chain fw {
		type filter hook forward priority 0; policy accept;
		ct state untracked counter
		ct state established counter
		ct state new counter
		udp dport 54 reject
	}
}
"""
# What takes frames away before the program sees them in a chain that sleeps or is not there.
SLEEPS = """
table netdev asleep {
	flags dormant
	chain in { type filter hook ingress device "lan" priority 0; policy drop; }
}
"""


def frame(kind, payload, port=LAN, to=None):
    return _mac(to or port_mac(port)) + _mac("02:00:00:00:00:05") + struct.pack("!H", kind) + payload


def arp(operation):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + _mac("02:00:00:00:00:05") + \
        _packed(A) + bytes(6) + _packed("10.0.1.1")


ODD = [
    (LAN, frame(0x88b5, b"ab" + bytes(18))), (LAN, frame(0x88b5, b"abc")),
    (LAN, frame(0x88b5, b"xy" * 30, to="ff:ff:ff:ff:ff:ff")),
    (LAN, frame(0x88b5, b"ab" + bytes(18), to="02:00:00:00:00:77")),
    (LAN, frame(20, b"ab" + bytes(18), to="02:00:00:00:00:77")),
    (LAN, frame(0x0806, arp(2))), (LAN, frame(0x0800, b"\x55" + bytes(30))),
    (LAN, frame(0x0800, b"\x45" + bytes(4))),
    (LAN, udp(LAN, A, 7300, B, 53, mac="02:00:00:00:00:77")),
    (LAN, udp(LAN, A, 7301, "10.0.1.255", 53, mac="ff:ff:ff:ff:ff:ff")),
    (LAN, udp(LAN, A, 7302, "10.0.1.1", 53)), (LAN, udp(LAN, A, 7303, B, 53, ttl=1)),
]


def flows():
    """Single packets, then connections of many packets both ways."""
    out = list(ODD)
    for port in (53, 65, 66, 67, 68, 69, 71):
        out += [(LAN, udp(LAN, A, 7000 + port, B, port))] * 2
        out += [(LAN, udp(LAN, A6, 7000 + port, B6, port))] * 2
    for _ in range(6):
        out += [(LAN, udp(LAN, A, 7101, B, 55)), (WAN, udp(WAN, B, 55, A, 7101)),
                (LAN, udp(LAN, A, 7102, B, 67, data=b"more than that")),
                (WAN, udp(WAN, B, 67, A, 7102)), (LAN, udp(LAN, A6, 7103, B6, 55)),
                (WAN, udp(WAN, B6, 55, A6, 7103)), (LAN, udp(LAN, A, 7101, B, 68)),
                (LAN, udp(LAN, A, 7104, B, 54))]
    a, b = (LAN, A, 7200, B, 80), (WAN, B, 80, A, 7200)
    out += [(LAN, tcp(*a, SYN, seq=100)), (WAN, tcp(*b, SYN | ACK, seq=500, ack=101)),
            (LAN, tcp(*a, ACK, seq=101, ack=501))]
    for k in range(6):
        out += [(LAN, tcp(*a, ACK | PSH, seq=101 + 4 * k, ack=501, data=b"data")),
                (WAN, tcp(*b, ACK, seq=501, ack=105 + 4 * k))]
    out += [(LAN, udp(LAN, A, 7302, B, 72)), (LAN, udp(LAN, A, 7303, B, 72)),
            (LAN, icmp(LAN, A, B, 8)), (WAN, icmp(WAN, B, A, 0)), (LAN, icmp(LAN, A6, B6, 128)),
            (LAN, ip(LAN, A, B, 253, b"what is this")),
            (LAN, udp(LAN, A, 7105, B, 53, ttl=1))]
    return out


def masked(out):
    """What a router sends, without its own MACs and the identification of what it makes."""
    return sorted((port, data[12:18] + data[20:24] + data[26:]) for port, data in out)


def said(router):
    return [json.dumps(o, sort_keys=True) for o in router.ruleset() if "metainfo" not in o]


def run(router, guide=None):
    load(router, RULES + SLEEPS)
    outs = [masked(router.forward(NAMES[port], data, len(guide[0][k]) if guide else 0))
            for k, (port, data) in enumerate(flows())]
    tail = masked(router.tail())
    missing = router.conservation()
    if missing:
        raise RuntimeError(f"{missing} packets are unaccounted for")
    return outs, tail, said(router)


def compare(name, want, got):
    bad = 0
    for k, (one, two) in enumerate(zip(want[0], got[0])):
        if one != two:
            bad += 1
            print(f"{name}: packet {k}, {flows()[k][1].hex()}:\n  Linux {one}\n  shunt {two}")
    for one, two in zip(want[2], got[2]):
        if one != two:
            bad += 1
            print(f"{name}:\n  Linux {one}\n  shunt {two}")
    if len(want[2]) != len(got[2]) or not any(want[0]):
        bad += 1
    print(f"{name}: {len(want[0])} packets, {len(want[2])} objects, {bad} different")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    if os.geteuid() != 0 or not ShuntRouter.built(build):
        print("skipped: needs root and a built shuntd")
        return 77
    with KernelRouter(TOPO) as kernel:
        want = run(kernel)
    bad = 0
    for name, how in {"software": {"offload": "software"}, "off": {"offload": "off"},
                      "two workers": {"offload": "software", "workers": (0, 1)},
                      "reference": {"engine": "reference", "offload": "software"}}.items():
        with ShuntRouter(TOPO, build, **how) as shunt:
            bad += compare(name, want, run(shunt, want))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
