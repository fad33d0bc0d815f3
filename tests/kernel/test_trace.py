#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `nft monitor trace` prints of the same packets in Linux and in shuntd.

usage: test_trace.py [--build BUILD] [--engine ENGINE] [--shuntctl] [NAME ...]
Every scenario is a ruleset and packets, sent one at a time through both routers
while stock nft, with libshunt-nft.so in front of shuntd, prints its trace. Behind
each packet goes another one, whose trace says that all has been printed. Equal
must be: what is printed, ids replaced by the order in which they come; the
messages, attribute by attribute, but for ids and interface numbers; what is sent.
Exit status: 0 equal, 1 different, 77 skipped (not root, no shuntd).
"""
import argparse
import os
import re
import socket
import struct
import sys
import tempfile
import time

import cases
from frame import frame_ip, is_icmp_error
from monitors import WAIT, KernelMessages, ShuntMessages, Text, attributes, message
from netlab import enter, inside, port_mac
from packets import ACK, FIN, ICMPV6, PSH, SYN, TCP, icmp, ip, tcp, udp
from routers import KernelRouter, ShuntRouter

NFNLGRP_NFTRACE = 9
TRACE_MESSAGE = 10 << 8 | 17
VERDICT, ID, LINK, NETWORK, TRANSPORT, IIF, OIF, CT_ID = 5, 6, 7, 8, 9, 10, 12, 18

TOPO = {
    "ports": [{"name": "lan", "addrs": ["10.0.1.1/24", "2001:db8:1::1/64"]},
              {"name": "wan", "addrs": ["10.0.2.1/24", "2001:db8:2::1/64"]}],
    "auto_neigh": 12,
}
SHOWN = 1500        # characters of a difference
A, B, A6, B6 = "10.0.1.5", "10.0.2.5", "2001:db8:1::5", "2001:db8:2::5"
LAN, WAN = 1, 2

# The packet behind each: its trace is the last one.
LAST = """
table inet last {
	chain pre {
		type filter hook prerouting priority -500
		udp dport 9 meta nftrace set 1 drop
	}
}
"""


def flow(port):
    """A packet of each kind, each of a flow of its own."""
    return [tcp(LAN, A, port, B, 80, SYN), udp(LAN, A, port, B, 53),
            icmp(LAN, A, B, 8, rest=struct.pack("!HH", port, 1) + b"ping"),
            tcp(LAN, A6, port, B6, 80, SYN), udp(LAN, A6, port, B6, 53),
            icmp(LAN, A6, B6, 128, rest=struct.pack("!HH", port, 1) + b"ping"),
            ip(LAN, A, B, 47, b"\0\0\x08\0grepayload"), ip(LAN, A, B, 253, b"what is this")]


def talk(port):
    """A TCP connection from its first segment to its last, and UDP both ways."""
    a = (LAN, A, port, B, 80)
    b = (WAN, B, 80, A, port)
    return [tcp(*a, SYN, seq=100), tcp(*b, SYN | ACK, seq=500, ack=101),
            tcp(*a, ACK, seq=101, ack=501), tcp(*a, ACK | PSH, seq=101, ack=501, data=b"GET /"),
            tcp(*b, ACK, seq=501, ack=106), tcp(*b, ACK | FIN, seq=501, ack=106),
            tcp(*a, ACK | FIN, seq=106, ack=502), tcp(*b, ACK, seq=502, ack=107),
            udp(LAN, A, port, B, 53), udp(WAN, B, 53, A, port), udp(LAN, A, port, B, 53)]


# No fragments: the sockets below shuntd's ports put them together before it sees them.
ODD = [
    udp(LAN, A, 7100, B, 53, data=b""), udp(LAN, A, 7101, B, 53, options=b"\x94\4\0\0"),
    udp(LAN, A, 7102, B, 53, ttl=1), udp(LAN, A6, 7102, B6, 53, ttl=1),
    udp(LAN, A, 7103, B, 53, tos=0xb8), tcp(LAN, A, 7104, B, 80, SYN, options=b"\2\4\5\xb4"),
    ip(LAN, A, B, 6, b"\x1b\xc1\0\x50"), ip(LAN, A, B, 17, b""), ip(LAN, A, B, 1, b"\x08"),
    ip(LAN, A6, B6, ICMPV6, b"\x80\0\0\0\0\1\0\1", sum_at=2, ext=b"\0" + b"\x3a\0\1\4\0\0\0\0"),
    udp(LAN, A6, 7106, B6, 53, ext=b"\x3c" + b"\x11\0\1\4\0\0\0\0"),
    udp(LAN, A, 7107, B, 53, data=b"x" * 1000), udp(LAN, A, 7108, "10.0.9.9", 53),
    udp(LAN, A, 7109, "10.0.1.1", 53), udp(LAN, A6, 7109, "2001:db8:1::1", 53),
    udp(LAN, A, 7110, "10.0.1.255", 53, mac="ff:ff:ff:ff:ff:ff"),
]

SCENARIOS = {
    # Nothing but nftrace keeps these flows from a record.
    "flows": ("""
table inet f {
	chain pre { type filter hook prerouting priority raw; iifname "lan" meta nftrace set 1; }
	chain fw { type filter hook forward priority filter; ct state established counter accept; counter accept; }
}""", talk(7801) + 3 * [udp(LAN, A, 7801, B, 53), udp(WAN, B, 53, A, 7801)]
        + [tcp(LAN, A, 7802, B, 80, SYN, seq=100),
           tcp(WAN, B, 80, A, 7802, SYN | ACK, seq=500, ack=101)]
        + 4 * [tcp(LAN, A, 7802, B, 80, ACK, seq=101, ack=501),
               tcp(WAN, B, 80, A, 7802, ACK, seq=501, ack=101)]),
    "hooks": ("""
table inet f {
	chain raw { type filter hook prerouting priority raw; meta nftrace set 1; }
	chain first { ip protocol tcp counter; tcp dport 80 goto web; udp dport 53 jump names; }
	chain web { counter return; drop; }
	chain names { ip daddr 10.0.2.5 meta mark set 7 return; meta mark set 8; }
	chain fw { type filter hook forward priority filter; policy drop;
		jump first
		ct state invalid,untracked drop
		meta mark 7 accept
		meta l4proto { tcp, icmp, icmpv6 } accept
		ip6 daddr 2001:db8:2::/64 counter accept
	}
	chain post { type filter hook postrouting priority srcnat; oifname "wan" counter; policy accept; }
}
table ip four {
	chain fw { type filter hook forward priority filter; ip ttl 63 accept; }
}
table ip6 six {
	chain fw { type filter hook forward priority 10; return; }
}
table ip mangle {
	chain pre { type filter hook prerouting priority mangle; ip dscp cs0 counter; }
	chain fw { type filter hook forward priority mangle; counter; }
}""", flow(7001) + talk(7002)),
    # From a port's ingress to another one's egress.
    "devices": ("""
table netdev d {
	chain in { type filter hook ingress devices = { "lan", "wan" } priority 0;
		udp dport 9 accept
		ip saddr { 10.0.1.5, 10.0.2.5 } meta nftrace set 1
		ip6 saddr 2001:db8:1::5 meta nftrace set 1
		ether type 0x88b5 meta nftrace set 1
		ip protocol tcp counter goto web
		udp dport 54 counter drop
		ether type 0x88b5 counter accept
	}
	chain web { tcp dport 80 meta mark set 9; }
	chain out { type filter hook egress devices = { "lan", "wan" } priority 0;
		meta mark 9 counter
		ip protocol icmp counter accept
		udp dport 55 drop
	}
}
table inet i {
	chain in { type filter hook ingress device "lan" priority 10; meta mark 9 counter; udp sport 7302 drop; }
	chain fw { type filter hook forward priority 0; ct state new counter accept; }
}""", flow(7301) + talk(7303) + [udp(LAN, A, 7302, B, 53), udp(LAN, A, 7304, B, 54),
                                 udp(LAN, A, 7305, B, 55), udp(LAN, A, 7306, B, 53, ttl=1)]),
    "nat": ("""
table ip n {
	chain pre { type nat hook prerouting priority dstnat;
		ip daddr 10.0.2.9 tcp dport 8080 dnat to 10.0.2.5:80
		iifname "lan" udp dport 5353 dnat to 10.0.2.5:53
	}
	chain post { type nat hook postrouting priority srcnat; oifname "wan" ip saddr 10.0.1.5 masquerade; }
	chain late { type nat hook postrouting priority 110; oifname "wan" counter snat to 10.0.2.77; }
}
table ip6 n {
	chain post { type nat hook postrouting priority srcnat; oifname "wan" snat to 2001:db8:2::77; }
}
table inet f {
	chain pre { type filter hook prerouting priority raw; meta nftrace set 1; }
	chain fw { type filter hook forward priority filter; ct status dnat counter accept; ct direction reply accept; }
	chain out { type filter hook postrouting priority 300; counter; }
}""", [tcp(LAN, A, 7201, "10.0.2.9", 8080, SYN, seq=9),
       tcp(WAN, B, 80, "10.0.2.1", 7201, SYN | ACK, seq=4, ack=10),
       tcp(LAN, A, 7201, "10.0.2.9", 8080, ACK, seq=10, ack=5),
       udp(LAN, A, 7202, "10.0.2.9", 5353), udp(WAN, B, 53, "10.0.2.1", 7202),
       udp(LAN, "10.0.1.6", 7203, B, 53), udp(WAN, B, 53, "10.0.2.77", 7203),
       udp(LAN, A6, 7204, B6, 53), udp(WAN, B6, 53, "2001:db8:2::77", 7204),
       icmp(LAN, A, B, 8, rest=b"\x1c\x21\0\1ping")]),
    "vmap": ("""
table inet f {
	map byport { type inet_service : verdict; elements = { 80 : jump web, 81 : goto web, 82 : accept, 83 : drop, 84 : continue, 85 : return } }
	map prefixes { type ipv4_addr : verdict; flags interval; elements = { 10.0.1.0/30 : drop, 10.0.1.4/30 : jump near } }
	chain raw { type filter hook prerouting priority raw; tcp dport 80-89 meta nftrace set 1; udp dport 80-89 meta nftrace set 1; }
	chain web { ip saddr vmap @prefixes; counter; }
	chain near { meta mark set 0x17; tcp dport 81 accept; }
	chain fw { type filter hook forward priority filter;
		tcp dport vmap @byport
		udp dport vmap { 80 : jump web, 81 : goto near, 86 : drop }
		counter
		meta l4proto vmap { tcp : accept }
		drop
	}
}""", [tcp(LAN, A, 7300 + p, B, p, SYN) for p in range(80, 87)]
        + [udp(LAN, A, 7300 + p, B, p) for p in range(80, 88)]
        + [tcp(LAN, "10.0.1.2", 7300, B, 80, SYN)]),
    "reject": ("""
table inet f {
	chain raw { type filter hook prerouting priority raw; meta nftrace set 1; }
	chain fw { type filter hook forward priority filter;
		tcp dport 80 reject with tcp reset
		udp dport 53 reject
		icmp type echo-request reject with icmp type host-prohibited
		icmpv6 type echo-request reject with icmpv6 type admin-prohibited
		meta l4proto 253 reject with icmpx type no-route
	}
	chain out { type filter hook output priority filter; meta nftrace set 1 counter; icmp type destination-unreachable counter accept; }
	chain post { type filter hook postrouting priority filter; counter; }
}""", flow(7401) + [
        # Linux takes the payload of what it does not know for a sum, and answers if it is right.
        ip(LAN, A, B, 253, b"\xff\xf0\0\x0f"), ip(LAN, A, B, 253, b"\xff\xf0\0\x0f\1"),
        ip(LAN, A6, B6, 253, b"\0\0a sum", sum_at=0), ip(LAN, A6, B6, 253, b"\0\1a sum"),
        ip(LAN, A6, B6, 253, b"")]),
    "on and off": ("""
table ip f {
	chain pre { type filter hook prerouting priority -250;
		tcp dport 80 meta nftrace set 1 ip saddr 10.0.1.99 drop
		tcp dport 81 meta nftrace set 1 accept
		tcp dport 82 jump deep
		tcp dport 83 goto deep
		tcp dport 84 counter
		tcp dport 85 meta nftrace set 1 meta nftrace set 0
		tcp dport 86 meta nftrace set 1 drop
		tcp dport 80-85 counter
	}
	chain deep { jump deeper; counter; }
	chain deeper { ip ttl 64 meta nftrace set 1; ip saddr 10.0.1.5 return; drop; }
	chain fw { type filter hook forward priority filter;
		tcp dport 1 accept
		tcp dport 2 accept
		tcp dport 3 accept
		tcp dport 4 accept
		tcp dport 5 accept
		tcp dport 6 accept
		tcp dport 80 counter
		tcp dport 81 meta nftrace set 0
		tcp dport 82 meta mark set 5
		tcp dport 84 meta nftrace set 1
		counter
	}
	chain post { type filter hook postrouting priority filter; counter; }
}""", [tcp(LAN, A, 7500 + p, B, p, SYN) for p in range(80, 88)]),
    "odd packets": ("""
table inet f {
	chain pre { type filter hook prerouting priority raw; meta nftrace set 1; }
	chain in { type filter hook input priority filter; policy drop; counter; }
	chain fw { type filter hook forward priority filter; th dport 53 counter; }
	chain out { type filter hook output priority filter; meta nftrace set 1; }
	chain post { type filter hook postrouting priority filter; counter; }
}""", flow(7601) + ODD),
    "sets and limits": ("""
table inet f {
	set seen { type ipv4_addr; flags dynamic; timeout 1h; }
	set ports { type inet_service; flags interval; elements = { 50-60, 80 } }
	set pairs { type ipv4_addr . inet_service; elements = { 10.0.1.5 . 53, 10.0.1.5 . 80 } }
	counter hits { }
	chain raw { type filter hook prerouting priority raw; meta nftrace set 1; notrack; }
	chain fw { type filter hook forward priority filter; policy drop;
		ip saddr @seen counter name hits
		add @seen { ip saddr }
		th dport @ports limit rate over 1/hour burst 1 packets counter
		ip saddr . th dport @pairs accept
		log prefix "odd "
		numgen inc mod 2 0 accept
		ip6 nexthdr 17 fib daddr type unicast accept
	}
}""", flow(7701) + flow(7702)),
}


def own_header(head):
    """The IP header of what the router made itself, less its id, its checksum and its flow label:
    doc/differences.md."""
    if head[0] >> 4 == 4:
        return head[:4] + b"\0\0" + head[6:10] + b"\0\0" + head[12:]
    return head[:1] + b"\0\0\0" + head[4:]


def own_error(frame):
    """The same of an ICMP error's frame; others as they are."""
    found = frame_ip(frame)
    if not found or not is_icmp_error(frame, found):
        return frame
    return frame[:14] + own_header(frame[14:found.l4]) + frame[found.l4:]


class Side:
    """A router, and its monitors."""

    def __init__(self, router, name):
        self.router, self.name = router, name
        self.text = self.messages = None
        self.serial = 20000

    def start(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".nft", encoding="utf-8") as f:
            f.write("flush ruleset\n" + text + LAST)
            f.flush()
            self.router.load(f.name)
        self.names = self.interfaces()
        self.text, self.messages = self.listen()
        # Until both of them listen.
        end = time.monotonic() + WAIT
        heard = False
        while not heard and time.monotonic() < end:
            self.last()
            heard = any(self.is_last(line) for line in self.text.lines(0.1))
        if not heard:
            raise RuntimeError(f"{self.name}: nobody hears of a packet")
        self.after("", "")

    def stop(self):
        if self.text:
            self.text.close()
            self.messages.close()

    def last(self):
        self.serial += 1
        self.router.forward("lan", udp(LAN, A, self.serial, B, 9))

    def is_last(self, line):
        return " last pre packet: " in line and f"udp sport {self.serial} " in line

    def is_over(self, lines):
        """The packet behind has been told of, and its rule behind that."""
        ends = [i for i, line in enumerate(lines) if self.is_last(line)]
        return bool(ends) and any(" last pre rule " in line for line in lines[ends[-1]:])

    def after(self, port, frame):
        """What came out, was printed and was told for a packet."""
        out = self.router.forward(port, frame, 0) if frame else []
        self.last()
        text = self.text.until(self.is_over)
        out = [(name, own_error(sent)) for name, sent in out]
        return out, self.tidy([t for t in text if " last pre " not in t]), self.told()

    @staticmethod
    def tidy(lines):
        ids, found = {}, []
        for line in lines:
            line = re.sub(r"^trace id (\w+)",
                          lambda m: f"trace id {ids.setdefault(m[1], len(ids) + 1)}", line)
            if " packet: oif " in line:
                line = re.sub(r"(ip id|ip6 flowlabel) \d+", r"\1 N", line)
            found.append(line)
        return found

    def told(self):
        found, ids, end = [], {}, time.monotonic() + WAIT
        while time.monotonic() < end:
            data = self.messages.read(0.1)
            if not data:
                continue
            kind, flags, family, rest, attrs = message(data)
            if kind != TRACE_MESSAGE:
                continue
            if (2, b"pre\0") in attrs and (1, b"last\0") in attrs:
                if struct.pack("!H", self.serial) in [v[:2] for t, v in attrs if t == TRANSPORT]:
                    return found
                continue
            row = []
            for t, v in attrs:
                if t == ID:
                    v = ids.setdefault(v, len(ids) + 1)
                elif t in (IIF, OIF):
                    v = self.names.get(struct.unpack("!I", v)[0])
                elif t == CT_ID:
                    v = "some"
                elif t == VERDICT:
                    v = attributes(v)
                row.append((t, v))
            found.append((flags, family, rest, self.own(row)))
        return found + ["--- and no more"]


    @staticmethod
    def own(row):
        """What the router makes has no link header; Linux leaves its TCP checksum for later."""
        if NETWORK not in [t for t, _ in row] or LINK in [t for t, _ in row]:
            return row
        proto = next(v[9] if v[0] >> 4 == 4 else v[6] for t, v in row if t == NETWORK)
        found = []
        for t, v in row:
            if t == NETWORK:
                v = own_header(v)
            elif t == TRANSPORT and proto == TCP:
                v = v[:16] + b"\0\0" + v[18:]
            found.append((t, v))
        return found


class KernelSide(Side):
    def interfaces(self):
        with inside(self.router.lab.router):
            return dict(socket.if_nameindex())

    def listen(self):
        with inside(self.router.lab.router):
            messages = KernelMessages(NFNLGRP_NFTRACE)
        return Text(enter(self.router.lab.router) + ["nft", "monitor", "trace"]), messages


class ShuntSide(Side):
    def __init__(self, router, name, build, shuntctl):
        super().__init__(router, name)
        self.shim = os.path.join(build, "lib", "nft", "shim", "libshunt-nft.so")
        self.shuntctl = shuntctl

    def interfaces(self):
        return {2 + i: p["name"] for i, p in enumerate(TOPO["ports"])}

    def listen(self):
        sock = self.router._path("nft.sock")
        env = dict(os.environ, LD_PRELOAD=self.shim, SHUNT_NFT_SOCKET=sock)
        argv = ["nft", "monitor", "trace"]
        if self.shuntctl:
            argv, env = [self.router.shuntctl, "-s", self.router._path("control.sock"), "trace"], None
        return Text(argv, env), ShuntMessages(sock, NFNLGRP_NFTRACE)


def run(side, names):
    """By scenario, by packet: what came out, the text, the messages."""
    found = {}
    for name in names:
        text, packets = SCENARIOS[name]
        try:
            side.start(text)
            found[name] = [side.after("lan" if p[:6] != bytes.fromhex(
                port_mac(WAN).replace(":", "")) else "wan", p) for p in packets]
        finally:
            side.stop()
    return found


def show(kernel, shunt):
    for what, a, b in zip(("sent", "printed", "told"), kernel, shunt):
        if a == b:
            continue
        print(f"  {what}:")
        for i in range(max(len(a), len(b))):
            x, y = (side[i] if i < len(side) else "nothing" for side in (a, b))
            if x != y:
                print(f"    kernel: {x}\n    shunt:  {y}"[:SHOWN])


def compare(kernel, shunt):
    failed = lines = packets = 0
    for name, want in kernel.items():
        for i, (a, b) in enumerate(zip(want, shunt[name])):
            packets += 1
            lines += len(a[1])
            if a != b:
                failed += 1
                print(f"{name}, packet {i}:")
                show(a, b)
        if not any(a[1] for a in want):
            print(f"{name}: nothing was traced")
            failed += 1
    print(f"{packets} packets, {lines} lines of trace, {failed} packets differ")
    return failed


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--build", default=os.path.join(cases.TOP, "build"))
    ap.add_argument("--engine", help="runtime.engine: compiled or reference")
    ap.add_argument("--shuntctl", action="store_true",
                    help="shuntctl trace instead of nft with the preloaded shim")
    ap.add_argument("names", nargs="*", help="scenarios; all")
    args = ap.parse_args()
    build = os.path.abspath(args.build)
    if os.geteuid() != 0 or not ShuntRouter.built(build):
        print("needs root and shuntd")
        return 77
    names = args.names or list(SCENARIOS)
    with KernelRouter(TOPO) as router:
        kernel = run(KernelSide(router, "kernel"), names)
    # With flow records: no packet of a flow that is traced may take one.
    with ShuntRouter(TOPO, build, engine=args.engine, offload="software") as router:
        try:
            shunt = run(ShuntSide(router, "shunt", build, args.shuntctl), names)
        except BaseException:
            print(router.log(), file=sys.stderr)
            raise
        missing = router.conservation()
    if missing:
        print(f"{missing} packets unaccounted for")
    return 1 if compare(kernel, shunt) or missing else 0


if __name__ == "__main__":
    sys.exit(main())
