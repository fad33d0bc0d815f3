#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The stock conntrack program against Linux and against shuntd, for the same flows.

usage: test_conntrack.py [--build BUILD] [--nicmodel PLUGIN] [NAME ...]
Each scenario sends packets, one at a time, through both routers, and runs the same
conntrack commands on both: exit status, standard output and standard error must be
equal, lines in any order, but for ids, ports of netlink sockets, and what is left
of a life, which may differ by the time that the test has taken. Some scenarios are
shuntd's alone: what it does beyond Linux, and what the NIC has to do with it.
Exit status: 0 equal, 1 different, 77 skipped (not root, no conntrack, no shuntd).
"""
import argparse
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from netlab import enter, inside
from packets import ACK, FIN, PSH, SYN, icmp, ip, tcp, udp
from routers import KernelRouter, ShuntRouter

TOPO = {
    "ports": [{"name": "lan", "addrs": ["10.0.1.1/24", "2001:db8:1::1/64"]},
              {"name": "wan", "addrs": ["10.0.2.1/24", "2001:db8:2::1/64"]}],
    "auto_neigh": 12,
}
A, B, A6, B6 = "10.0.1.5", "10.0.2.5", "2001:db8:1::5", "2001:db8:2::5"
LAN, WAN = 1, 2
NAMES = {LAN: "lan", WAN: "wan"}
WAIT = 20           # seconds within which something that must come does

RULES = """
table inet f {
	counter fresh { }
	counter old { }
	chain fw {
		type filter hook forward priority 0;
		ct state new counter name fresh
		ct state established counter name old
		udp dport 77 ct mark set 5
		udp dport 78 ct mark set 6
		tcp dport 13 reject with tcp reset
	}
}
table ip n {
	chain pre { type nat hook prerouting priority dstnat; udp dport 5353 dnat to 10.0.2.6:53; }
	chain post { type nat hook postrouting priority srcnat; oifname "wan" udp dport 99 masquerade; }
}
"""
FLOWTABLE = """
table inet f {
	flowtable ft { hook ingress priority 0; devices = { lan, wan }; }
	counter fresh { }
	chain fw {
		type filter hook forward priority 0;
		ct state new counter name fresh
		flow add @ft
		udp dport 1 drop
	}
}
"""


def handshake(sport, dport=80):
    """A TCP connection that is established both ways."""
    a, b = (LAN, A, sport, B, dport), (WAN, B, dport, A, sport)
    return [(LAN, tcp(*a, SYN, seq=100, options=b"\x03\x03\x07\x01\x02\x04\x05\xb4")),
            (WAN, tcp(*b, SYN | ACK, seq=500, ack=101, options=b"\x03\x03\x05\x01")),
            (LAN, tcp(*a, ACK, seq=101, ack=501)),
            (LAN, tcp(*a, ACK | PSH, seq=101, ack=501, data=b"GET /")),
            (WAN, tcp(*b, ACK, seq=501, ack=106))]


def goodbye(sport, dport=80):
    """Its end, after handshake()."""
    a, b = (LAN, A, sport, B, dport), (WAN, B, dport, A, sport)
    return [(WAN, tcp(*b, ACK | FIN, seq=501, ack=106)), (LAN, tcp(*a, ACK | FIN, seq=106, ack=502)),
            (WAN, tcp(*b, ACK, seq=502, ack=107))]


def echo(ident):
    rest = struct.pack("!HH", ident, 1) + b"ping"
    return [(LAN, icmp(LAN, A, B, 8, rest=rest)), (WAN, icmp(WAN, B, A, 0, rest=rest)),
            (LAN, icmp(LAN, A6, B6, 128, rest=rest))]


def both_ways(sport, dport):
    return [(LAN, udp(LAN, A, sport, B, dport)), (WAN, udp(WAN, B, dport, A, sport))]


# A flow of each kind.
FLOWS = (both_ways(7000, 53) + [(LAN, udp(LAN, A, 7001, B, p)) for p in (77, 78, 99, 5353)] +
         [(LAN, udp(LAN, A6, 7000, B6, 53)), (WAN, udp(WAN, B6, 53, A6, 7000))] +
         handshake(7002) + [(LAN, tcp(LAN, A6, 7003, B6, 80, SYN))] + echo(9) +
         [(LAN, ip(LAN, A, B, 253, b"what is this"))])


class Side:
    """A router with its conntrack."""

    def __init__(self, name, router, conntrack, env=None):
        self.name, self.router, self.argv, self.env = name, router, conntrack, env

    def run(self, *args):
        return subprocess.run([*self.argv, *args], env=self.env, capture_output=True, text=True,
                              check=False, timeout=WAIT)

    def counter(self, name):
        for o in self.router.ruleset():
            if o.get("counter", {}).get("name") == name:
                return o["counter"]["packets"]
        raise KeyError(name)


class Events:
    """`conntrack -E` of a side; what it has printed."""

    def __init__(self, side, *args):
        self.process = subprocess.Popen([*side.argv, "-E", *args], env=side.env,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.poll = select.poll()
        self.poll.register(self.process.stdout, select.POLLIN)
        self.text = ""

    def until(self, pattern, poke=lambda: None):
        """Wait until it has printed something; poke is done again and again."""
        end = time.monotonic() + WAIT
        while not re.search(pattern, self.text):
            if time.monotonic() > end:
                raise TimeoutError(f"conntrack -E never printed {pattern}:\n{self.text}")
            poke()
            if self.poll.poll(20):
                self.text += os.read(self.process.stdout.fileno(), 1 << 20).decode()

    def stop(self):
        """End it. What it has printed, in lines."""
        self.process.send_signal(signal.SIGINT)
        self.text += self.process.communicate(timeout=WAIT)[0].decode()
        return self.text.splitlines()


class Failure(Exception):
    pass


LIFE = [re.compile(r"(?<=\d )(\d+)(?= (?:[A-Z_0-9]+ )?src=)"), re.compile(r"(?<=<timeout>)(\d+)")]


def masked(line):
    """A line without what may differ, and its lives."""
    lives = []

    def take(m):
        lives.append(int(m.group(1)))
        return "T"

    for r in LIFE:
        line = r.sub(take, line)
    line = re.sub(r"\bid=\d+$|(?<=<id>)\d+|\bid=\d+(?= \[USER)", "I", line)
    line = re.sub(r"portid=\d+( progname=\S+)?", "portid=P", line)
    return line, lives


class Test:
    def __init__(self, kernel, shunt):
        self.kernel, self.shunt = kernel, shunt
        self.sides = (kernel, shunt)
        self.start = time.monotonic()
        self.compared = 0

    def send(self, packets):
        for port, frame in packets:
            want = self.kernel.router.forward(NAMES[port], frame)
            got = self.shunt.router.forward(NAMES[port], frame, len(want))
            if sorted(want) != sorted(got):
                raise Failure(f"a packet: Linux sends {want}, shuntd {got}")

    def same_lines(self, what, one, two):
        """Equal in any order, lives within the time that has passed."""
        slack = time.monotonic() - self.start + 1
        one, two = sorted(map(masked, one)), sorted(map(masked, two))
        if [m for m, _ in one] != [m for m, _ in two]:
            raise Failure(f"{what}\n  Linux:\n    " + "\n    ".join(m for m, _ in one) +
                          "\n  shuntd:\n    " + "\n    ".join(m for m, _ in two))
        for (line, a), (_, b) in zip(one, two):
            for x, y in zip(a, b):
                if abs(x - y) > slack:
                    raise Failure(f"{what}: {line}: Linux says {x} s, shuntd {y} s")

    def same(self, *args, on=None):
        """Run conntrack on both; equal. The standard output."""
        out = []
        for side in self.sides:
            r = side.run(*args)
            if on is not None:
                on(side, r)
            out.append(r)
        what = "conntrack " + " ".join(args)
        if out[0].returncode != out[1].returncode:
            raise Failure(f"{what}: Linux exits with {out[0].returncode}, shuntd with "
                          f"{out[1].returncode}: {out[0].stderr}{out[1].stderr}")
        self.same_lines(what, out[0].stdout.splitlines() + out[0].stderr.splitlines(),
                        out[1].stdout.splitlines() + out[1].stderr.splitlines())
        self.compared += 1
        return out[0].stdout

    def same_counter(self, name):
        a, b = (s.counter(name) for s in self.sides)
        if a != b:
            raise Failure(f"counter {name}: Linux {a}, shuntd {b}")
        return a


def lists(t):
    t.send(FLOWS)
    for args in ("-L", "-L -o extended", "-L -o id", "-L -o extended,id,timestamp,labels", "-L -o xml",
                 "-L -o xml,timestamp", "-C", "-L -f ipv4", "-L -f ipv6", "-L -p tcp", "-L -p udp",
                 "-L -p icmp", "-L -p icmpv6", "-L -m 5", "-L -m 4/4", "-L -m 0/0", "-L -m 8/8",
                 "-L -u ASSURED", "-L -u SEEN_REPLY", "-L -u UNSET", "-L -w 0", "-L -w 3",
                 "-L --orig-zone 0", "-L --reply-zone 7", "-L -s 10.0.1.5", "-L -s 10.0.1.0/24 -d 10.0.2.5",
                 "-L --src-nat", "-L --dst-nat", "-L --any-nat", "-L -p udp --dport 53",
                 "-L --state ESTABLISHED -p tcp", "-L -p tcp --state SYN_SENT", "-L -s 2001:db8:1::5",
                 "-L dying", "-L unconfirmed", "-L expect", "-C expect", "-L -l nonsense"):
        t.same(*args.split())
    if "SYN_SENT" not in t.same("-L", "-p", "tcp"):
        raise Failure("the flows are not there")


def gets(t):
    t.send(FLOWS)
    for args in ("-p udp -s 10.0.1.5 -d 10.0.2.5 --sport 7000 --dport 53",
                 "-p udp --reply-src 10.0.2.5 --reply-dst 10.0.1.5 --reply-port-src 53 --reply-port-dst 7000",
                 "-p tcp -s 10.0.1.5 -d 10.0.2.5 --sport 7002 --dport 80 -o extended",
                 "-p icmp -s 10.0.1.5 -d 10.0.2.5 --icmp-type 8 --icmp-code 0 --icmp-id 9",
                 "-p icmpv6 -s 2001:db8:1::5 -d 2001:db8:2::5 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 9",
                 "-p udp -s 2001:db8:1::5 -d 2001:db8:2::5 --sport 7000 --dport 53",
                 "-p udp -s 10.0.1.5 -d 10.0.2.5 --sport 1 --dport 53",
                 "-p udp -s 10.0.1.5 -d 10.0.2.5 --sport 7000 --dport 53 -w 9",
                 "-p tcp -s 10.0.1.5 -d 10.0.2.5 --sport 7000 --dport 53"):
        t.same("-G", *args.split())


def names_of_stats(side, r):
    del side
    r.stdout = "\n".join(sorted({re.sub(r"=\d+", "=", x) for x in r.stdout.split()}))


def stats(t):
    t.send(FLOWS)
    t.same("-S", on=names_of_stats)
    t.same("-S", "expect", on=names_of_stats)
    before = re.search(r"invalid=(\d+)", t.shunt.run("-S").stdout).group(1)
    t.send([(LAN, tcp(LAN, A, 7100, B, 80, SYN | FIN))])
    after = re.search(r"invalid=(\d+)", t.shunt.run("-S").stdout).group(1)
    if int(after) != int(before) + 1:
        raise Failure(f"an invalid packet: invalid={before}, then {after}")


# --- messages by hand

REQUEST, ACKED, EXCL, CREATE, DUMP = 1, 4, 0x200, 0x400, 0x300
NEW, GET, DELETE, GET_ZERO, STATS_CPU, STATS, DYING, UNCONFIRMED = range(8)
CT, EXP = 1, 2
NESTED = 0x8000
(ORIG, REPLY, STATUS, PROTOINFO, HELP, NAT_SRC, TIMEOUT, MARK, ID, NAT_DST, MASTER, SEQ_ADJ, ZONE,
 MARK_MASK, LABELS, LABELS_MASK, SYNPROXY, FILTER, STATUS_MASK, EVENT_TIME) = (
     1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 18, 21, 22, 23, 24, 25, 26, 27)


def attr(kind, data=b"", size=None):
    """An attribute; size: what it says its length is."""
    return (struct.pack("=HH", 4 + len(data) if size is None else size, kind) + data +
            bytes(-len(data) % 4))


def be32(kind, value):
    return attr(kind, struct.pack("!I", value))


def nest(kind, *parts):
    return attr(kind | NESTED, b"".join(parts))


def message(kind, *attrs, flags=REQUEST | ACKED, family=2, subsystem=CT, size=None, version=0, cut=None):
    """A message; size: what its header says, cut: bytes of it that are sent."""
    body = struct.pack("=BBH", family, version, 0) + b"".join(attrs)
    size = 16 + len(body) if size is None else size
    whole = struct.pack("=IHHII", size, subsystem << 8 | kind, flags, 7, 0) + body
    return whole[:cut]


def tuple_of(kind, src, dst, proto, *ports):
    """UDP's of an IPv4 address unless the ports say otherwise."""
    v6 = ":" in src
    pack = [socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, a) for a in (src, dst)]
    return nest(kind, nest(1, attr(3 if v6 else 1, pack[0]), attr(4 if v6 else 2, pack[1])),
                nest(2, attr(1, bytes([proto])), *ports))


def ports(sport, dport):
    return (attr(2, struct.pack("!H", sport)), attr(3, struct.pack("!H", dport)))


UDP53 = tuple_of(ORIG, A, B, 17, *ports(7000, 53))
TCP80 = tuple_of(ORIG, A, B, 6, *ports(7002, 80))
ICMP9 = (attr(4, b"\0\x09"), attr(5, b"\x08"), attr(6, b"\0"))

HOSTILE = {
    "a header alone": message(GET, cut=16, size=16),
    "half an nfgenmsg": message(GET, cut=18, size=18),
    "no attributes": message(GET),
    "no attributes, change": message(NEW),
    "no attributes, create": message(NEW, flags=REQUEST | ACKED | CREATE),
    "an unknown type": message(8), "another": message(200), "of expectations": message(4, subsystem=EXP),
    "a subsystem's neighbour": message(GET, subsystem=EXP),
    "not a request": message(GET, UDP53, flags=0), "not a request, acked": message(GET, flags=ACKED),
    "a family that is none": message(GET, UDP53, family=7), "no family": message(GET, UDP53, family=0),
    "IPv4's tuple in IPv6": message(GET, UDP53, family=10),
    "an attribute's length 0": message(GET, attr(ORIG, b"", 0)),
    "an attribute's length 3": message(GET, attr(ORIG, b"abcd", 3)),
    "an attribute beyond the end": message(GET, attr(ORIG, b"abcd", 400)),
    "unknown attributes": message(GET, attr(60, b"what"), attr(0x3fff, b"is this"), UDP53),
    "attribute 0": message(GET, attr(0, b"abcd"), UDP53),
    "a nest of 2 bytes": message(GET, attr(ORIG | NESTED, b"ab")),
    "an empty nest": message(GET, attr(ORIG | NESTED)),
    "not marked as a nest": message(GET, attr(ORIG, UDP53[4:])),
    "no protocol": message(GET, nest(ORIG, nest(1, attr(1, b"\x0a\0\1\5"), attr(2, b"\x0a\0\2\5")))),
    "no addresses": message(GET, nest(ORIG, nest(2, attr(1, b"\x11"), *ports(1, 2)))),
    "one address": message(GET, nest(ORIG, nest(1, attr(1, b"\x0a\0\1\5")), nest(2, attr(1, b"\x11")))),
    "an address of 3 bytes": message(GET, nest(ORIG, nest(1, attr(1, b"\x0a\0\1"), attr(2, b"abcd")),
                                               nest(2, attr(1, b"\x11"), *ports(1, 2)))),
    "an IPv6 address of 15 bytes": message(GET, nest(ORIG, nest(1, attr(3, b"a" * 15), attr(4, b"b" * 16)),
                                                     nest(2, attr(1, b"\x11"), *ports(1, 2))), family=10),
    "longer addresses": message(GET, nest(ORIG, nest(1, attr(1, b"\x0a\0\1\5rest"), attr(2, b"\x0a\0\2\5")),
                                          nest(2, attr(1, b"\x11"), *ports(7000, 53)))),
    "a protocol of 0 bytes": message(GET, tuple_of(ORIG, A, B, 17, *ports(1, 2)).replace(
        attr(1, b"\x11"), attr(1))),
    "no ports": message(GET, tuple_of(ORIG, A, B, 17)),
    "one port": message(GET, tuple_of(ORIG, A, B, 17, ports(7000, 53)[0])),
    "a port of 1 byte": message(GET, tuple_of(ORIG, A, B, 17, attr(2, b"a"), attr(3, b"bb"))),
    "a type of ICMP in UDP": message(GET, tuple_of(ORIG, A, B, 17, *ports(7000, 53), attr(4, b"a"))),
    "ICMP without id": message(GET, tuple_of(ORIG, A, B, 1, *ICMP9[1:])),
    "ICMP without type": message(GET, tuple_of(ORIG, A, B, 1, *ICMP9[:1])),
    "ICMP without code": message(GET, tuple_of(ORIG, A, B, 1, *ICMP9[:2])),
    "ICMP of a type that has none": message(GET, tuple_of(ORIG, A, B, 1, ICMP9[0], attr(5, b"\3"), ICMP9[2])),
    "ICMP of type 200": message(GET, tuple_of(ORIG, A, B, 1, ICMP9[0], attr(5, b"\xc8"), ICMP9[2])),
    "an ICMP id of 1 byte": message(GET, tuple_of(ORIG, A, B, 1, attr(4, b"a"), *ICMP9[1:])),
    "a protocol without ports": message(GET, tuple_of(ORIG, A, B, 253)),
    "another one": message(GET, tuple_of(ORIG, A, B, 254)),
    "a zone of 1 byte": message(GET, UDP53, attr(ZONE, b"a")),
    "another zone": message(GET, UDP53, attr(ZONE, b"\0\1")),
    "zones twice": message(GET, attr(ZONE, b"\0\1"), nest(ORIG, UDP53[4:], attr(3, b"\0\2"))),
    "a tuple's zone": message(GET, nest(ORIG, UDP53[4:], attr(3, b"\0\2"))),
    "the reply's tuple": message(GET, tuple_of(REPLY, B, A, 17, *ports(53, 7000))),
    "both tuples": message(GET, UDP53, tuple_of(REPLY, "9.9.9.9", A, 17, *ports(53, 7000))),
    "a dump with a tuple": message(GET, UDP53, flags=REQUEST | DUMP),
    "a mask alone": message(GET, be32(MARK_MASK, 1), be32(STATUS_MASK, 1), flags=REQUEST | DUMP),
    "a mask of status alone": message(GET, be32(STATUS_MASK, 1), be32(MARK, 1), flags=REQUEST | DUMP),
    "a mark of 3 bytes": message(GET, attr(MARK, b"abc"), flags=REQUEST | DUMP),
    "a status of 0": message(GET, be32(STATUS, 0), flags=REQUEST | DUMP),
    "a status of 0 of 1": message(GET, be32(STATUS, 0), be32(STATUS_MASK, 2), flags=REQUEST | DUMP),
    "a status out of its mask": message(GET, be32(STATUS, 4), be32(STATUS_MASK, 2), flags=REQUEST | DUMP),
    "a filter without flags": message(GET, nest(FILTER), flags=REQUEST | DUMP),
    "a filter of unknown flags": message(GET, UDP53, nest(FILTER, attr(1, b"\0\0\0\x80")), flags=REQUEST | DUMP),
    "a filter of 3 bytes": message(GET, UDP53, nest(FILTER, attr(1, b"abc")), flags=REQUEST | DUMP),
    "a filter of 8 bytes": message(GET, UDP53, nest(FILTER, attr(1, bytes(8))), flags=REQUEST | DUMP),
    "a filter not marked as a nest": message(GET, UDP53, attr(FILTER, attr(1, bytes(4))), flags=REQUEST | DUMP),
    "a filter of something else": message(GET, UDP53, nest(FILTER, attr(3, bytes(4))), flags=REQUEST | DUMP),
    "an empty filter of 2 bytes": message(GET, UDP53, attr(FILTER | NESTED, b"ab"), flags=REQUEST | DUMP),
    "a filter and a rest": message(GET, UDP53, attr(FILTER | NESTED, attr(1, bytes(4)) + b"abc"),
                                   flags=REQUEST | DUMP),
    "a filter without tuple": message(GET, nest(FILTER, attr(1, b"\1\0\0\0")), flags=REQUEST | DUMP),
    "a filter without family": message(GET, UDP53, nest(FILTER, attr(1, b"\1\0\0\0")), family=0,
                                       flags=REQUEST | DUMP),
    "a filter of ports alone": message(GET, UDP53, nest(FILTER, attr(1, b"\x10\0\0\0")), flags=REQUEST | DUMP),
    "a filter of source and port": message(GET, UDP53, nest(FILTER, attr(1, b"\x29\0\0\0")), flags=REQUEST | DUMP),
    "a filter of replies": message(GET, tuple_of(REPLY, B, A, 17, *ports(53, 7000)),
                                   nest(FILTER, attr(2, b"\x3b\0\0\0")), flags=REQUEST | DUMP),
    "a filter of ICMP": message(GET, tuple_of(ORIG, A, B, 1, *ICMP9), nest(FILTER, attr(1, b"\xc8\1\0\0")),
                                flags=REQUEST | DUMP),
    "a reserved attribute": message(GET, attr(EVENT_TIME, b"12345678"), flags=REQUEST | DUMP),
    "long labels": message(GET, UDP53, attr(LABELS, b"a" * 17)),
    "NAT of one that is there": message(NEW, UDP53, nest(NAT_SRC)),
    "NAT of one that is not": message(NEW, tuple_of(ORIG, A, B, 17, *ports(1, 1)), nest(NAT_SRC)),
    "a master": message(NEW, UDP53, nest(MASTER)),
    "no helper": message(NEW, UDP53, nest(HELP)),
    "an empty helper": message(NEW, UDP53, nest(HELP, attr(1, b"\0"))),
    "a helper": message(NEW, UDP53, nest(HELP, attr(1, b"ftp\0"))),
    "an unknown helper": message(NEW, UDP53, nest(HELP, attr(1, b"what\0"))),
    "a helper without end": message(NEW, UDP53, nest(HELP, attr(1, b"ftp"))),
    "a helper of 20 letters": message(NEW, UDP53, nest(HELP, attr(1, b"a" * 20 + b"\0"))),
    "a helper and a rest": message(NEW, UDP53, nest(HELP, attr(1, b"ftp\0" + b"a" * 20))),
    "a helper and zeroes": message(NEW, UDP53, nest(HELP, attr(1, b"ftp" + bytes(13)))),
    "a status that clears": message(NEW, UDP53, be32(STATUS, 0)),
    "an expected one": message(NEW, UDP53, be32(STATUS, 9)),
    "a dying one": message(NEW, UDP53, be32(STATUS, 0x208)),
    "all bits": message(NEW, UDP53, be32(STATUS, 0xffffffff)),
    "a status of 1 byte": message(NEW, UDP53, attr(STATUS, b"a")),
    "a timeout of 2 bytes": message(NEW, UDP53, attr(TIMEOUT, b"ab")),
    "an exclusive change": message(NEW, UDP53, be32(MARK, 1), flags=REQUEST | ACKED | EXCL),
    "an exclusive change of none": message(NEW, tuple_of(ORIG, A, B, 17, *ports(1, 1)),
                                           flags=REQUEST | ACKED | EXCL),
    "state 10": message(NEW, TCP80, nest(PROTOINFO, nest(1, attr(1, b"\x0a")))),
    "a state of 0 bytes": message(NEW, TCP80, nest(PROTOINFO, nest(1, attr(1)))),
    "flags of 1 byte": message(NEW, TCP80, nest(PROTOINFO, nest(1, attr(4, b"a")))),
    "a state of UDP": message(NEW, UDP53, nest(PROTOINFO, nest(1, attr(1, b"\3")))),
    "a state of SCTP": message(NEW, TCP80, nest(PROTOINFO, nest(3, attr(1, b"\3")))),
    "nothing of TCP": message(NEW, TCP80, nest(PROTOINFO)),
    "labels of 3 bytes": message(NEW, UDP53, attr(LABELS, b"abc")),
    "labels and another mask": message(NEW, UDP53, attr(LABELS, b"abcd"), attr(LABELS_MASK, b"abcdabcd")),
    "labels": message(NEW, UDP53, attr(LABELS, b"abcd")),
    "sequence numbers": message(NEW, UDP53, nest(SEQ_ADJ)),
    "a cookie": message(NEW, UDP53, nest(SYNPROXY)),
    "an id of 3 bytes": message(DELETE, UDP53, attr(ID, b"abc")),
    "another id": message(DELETE, UDP53, attr(ID, b"\0\0\0\0")),
    "the end of none": message(DELETE, tuple_of(ORIG, A, B, 17, *ports(1, 1))),
    "the end of a mark": message(DELETE, be32(MARK, 77), version=1),
    "the end of a bad filter": message(DELETE, be32(STATUS_MASK, 1), nest(FILTER)),
    "a question for the dying": message(DYING), "for the unconfirmed": message(UNCONFIRMED),
    "statistics, not dumped": message(STATS_CPU), "totals": message(STATS),
    "an expectation": message(1, subsystem=EXP), "the end of one": message(2, tuple_of(2, A, B, 17, *ports(1, 2)), subsystem=EXP),
    "two messages": message(GET, UDP53) + message(GET, TCP80),
    "a message and a half": message(GET, UDP53) + message(GET, TCP80, cut=30),
    "a length that lies": message(GET, UDP53, size=10000), "a length of 5": message(GET, UDP53, size=5),
}


def datagrams_kernel(side, data):
    """What Linux answers."""
    with inside(side.router.lab.router):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    with s:
        s.setblocking(False)
        s.send(data)
        out = []
        while True:
            # Linux answers within send(), and goes on with a dump within recv().
            try:
                out.append(s.recv(65536))
            except BlockingIOError:
                return out


def datagrams_shunt(side, data):
    """What shuntd answers: frames up to an END."""
    s = socket.socket(socket.AF_UNIX)
    with s:
        s.settimeout(WAIT)
        s.connect(side.env["SHUNT_NFT_SOCKET"])
        s.sendall(struct.pack("=IBBH", len(data), 1, 12, 0) + data)
        f, out = s.makefile("rb"), []
        while True:
            size, kind, _, _ = struct.unpack("=IBBH", f.read(8))
            if kind == 17:
                return out
            out.append(f.read(size))


def answers(datagrams):
    """(type, error or family, attributes' types and sizes) of each message."""
    out = []
    for d in datagrams:
        while len(d) >= 16:
            size, kind, _flags, seq, _port = struct.unpack_from("=IHHII", d)
            body = d[16:size]
            if kind == 2:
                out.append(("error", seq, struct.unpack_from("=i", body)[0]))
            elif kind == 3:
                out.append(("done", seq))
            else:
                out.append((hex(kind), seq, body[0], shape(body[4:])))
            d = d[size + 3 & ~3:]
    return out


def shape(data):
    """Attributes as types and sizes, nests within."""
    out = []
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        inner = data[4:size]
        out.append((kind & 0x3fff, shape(inner) if kind & NESTED else len(inner)))
        data = data[size + 3 & ~3:]
    return out


def messages(t):
    """Truncated, wrong and unknown: the errors of Linux, and its attributes in its order."""
    t.send(FLOWS)
    bad = []
    for name, data in HOSTILE.items():
        one = answers(datagrams_kernel(t.kernel, data))
        two = answers(datagrams_shunt(t.shunt, data))
        if "of mark" in name or "dump" in name or "filter" in name or name.startswith("a status"):
            one, two = sorted(one, key=str), sorted(two, key=str)
        if one != two:
            bad.append(f"{name}:\n  Linux  {one}\n  shuntd {two}")
        t.compared += 1
    if bad:
        raise Failure("\n".join(bad))
    t.same("-L")


def mute(_side, r):
    """-U prints some of what it has changed, depending on the order: -L tells."""
    r.stdout = ""


def updates(t):
    t.send(FLOWS)
    for args in ("-f ipv4 -p udp -m 9", "-p udp -s 10.0.1.5 --dport 77 -m 0x30/0xf0", "-f ipv6 -m 1/3",
                 "-f ipv4 -p udp --dport 78 -t 500", "-f ipv4 -p tcp -t 77", "-f ipv4 -p icmp -t 0",
                 "-f ipv4 -p udp --dport 99 -u SEEN_REPLY", "-f ipv4 -p udp --dport 53 -u ASSURED",
                 "-f ipv6 -p udp -u SEEN_REPLY,ASSURED", "-f ipv4 -p tcp -u FIXED_TIMEOUT",
                 "-f ipv4 -p tcp -t 5", "-f ipv4 -p udp --dport 53 -u FIXED_TIMEOUT -t 333",
                 "-p udp -m 1", "-f ipv4 -p udp -s 9.9.9.9 -m 1", "-f ipv4 -p 253 -m 3"):
        t.same("-U", *args.split(), on=mute)
        t.same("-L")
    # What the next packet makes of it: lives begin anew, but for those that are fixed.
    t.send(both_ways(7000, 53) + both_ways(7001, 78) + handshake(7002)[3:] +
           [(WAN, udp(WAN, B6, 53, A6, 7000))])
    t.same("-L")
    t.send([(LAN, udp(LAN, A, 7001, B, 77))])
    t.same("-L", "-o", "extended")


def zeroes(t):
    t.send(FLOWS)
    t.same("-L", "-z", "-p", "udp")
    t.send(both_ways(7000, 53))
    t.same("-L")
    t.same("-z", "-L")
    t.same("-L")


def deletes(t):
    t.send(FLOWS)
    fresh = t.same_counter("fresh")
    t.same("-D", "-p", "udp", "-s", A, "--dport", "53")
    t.same("-L")
    # Its next packet is a connection's first.
    t.send([(LAN, udp(LAN, A, 7000, B, 53))])
    if t.same_counter("fresh") != fresh + 1:
        raise Failure("a deleted connection's packet did not go through the rules")
    for args in ("-m 5", "-p tcp --state SYN_SENT", "-f ipv6", "-u ASSURED", "-s 9.9.9.9", "--dst-nat",
                 "-w 4", "-p udp"):
        t.same("-D", *args.split())
        t.same("-L")
    t.send(FLOWS)
    t.same("-F")
    t.same("-L")
    t.same("-C")
    t.send(FLOWS)
    t.same("-F", "-f", "ipv6")
    t.same("-L")
    t.same("-F", "expect")
    t.same("-D")


def events(t, *args):
    """The same events in the same order, those of other flows left out."""
    listeners = [Events(s, *args) for s in t.sides]
    for e, s in zip(listeners, t.sides):
        poke = iter(range(20000, 30000))
        port = "lan"
        e.until("sport=2", lambda s=s, poke=poke: s.router.forward(
            port, udp(LAN, A, next(poke), B, 9)))
    t.send(FLOWS)
    t.send(goodbye(7002))
    t.send([(LAN, tcp(LAN, A, 7200, B, 13, SYN))])
    t.send(both_ways(7001, 77))
    t.same("-U", "-f", "ipv4", "-p", "udp", "--dport", "77", "-m", "8")
    t.same("-D", "-p", "icmp")
    t.same("-D", "-p", "udp", "--dport", "99")
    t.send([(LAN, udp(LAN, A, 19999, B, 9))])
    out = []
    for e in listeners:
        e.until("sport=19999")
        lines = e.stop()
        out.append([x for x in lines if not re.search(r"sport=2\d\d\d\d |=19999 ", x)])
    one, two = ([masked(x)[0] for x in o] for o in out)
    # A deletion's order is that of a hash.
    if one != two:
        t.same_lines("conntrack -E", out[0], out[1])
        order = [[x for x in o if "DESTROY" not in x] for o in (one, two)]
        if order[0] != order[1]:
            raise Failure("conntrack -E: another order:\n  " + "\n  ".join(one) + "\nshuntd:\n  " +
                          "\n  ".join(two))
    if sum("[NEW]" in x for x in one) < 10 or not any("DESTROY" in x for x in one):
        raise Failure("conntrack -E: too few events:\n" + "\n".join(one))
    t.compared += len(one)


def events_of_a_kind(t):
    events(t, "-e", "NEW,DESTROY")


def refusals(t):
    """What shuntd does not do, it says; nobody is answered by the kernel below it."""
    r = t.shunt.run("-I", "-p", "udp", "-s", "1.1.1.1", "-d", "2.2.2.2", "--sport", "1", "--dport", "2",
                    "-t", "30")
    if r.returncode == 0 or "not supported" not in r.stderr:
        raise Failure(f"-I: {r.stderr}")
    env = {**t.shunt.env, "SHUNT_NFT_SOCKET": "/nonexistent/nft.sock"}
    for args in (["-L"], ["-L", "expect"], ["-F"], ["-F", "expect"], ["-C"]):
        r = subprocess.run([*t.shunt.argv, *args], env=env, capture_output=True, text=True, check=False)
        if r.returncode == 0 and "-C" not in args:
            raise Failure(f"without a daemon `conntrack {args}` is answered: {r.stdout}{r.stderr}")
    ctl = t.shunt.router.shuntctl
    at = ["-s", t.shunt.router._path("control.sock")]
    t.send(FLOWS)
    plain = t.shunt.run("-L", "-o", "id")
    for argv in (["conntrack", "-L", "-o", "id"], ["exec", "--", "conntrack", "-L", "-o", "id"],
                 ["exec", "conntrack", "-L", "-o", "id"]):
        r = subprocess.run([ctl, *at, *argv], capture_output=True, text=True, check=False)
        if r.returncode or [masked(x)[0] for x in r.stdout.splitlines()] != \
                [masked(x)[0] for x in plain.stdout.splitlines()]:
            raise Failure(f"shuntctl {argv}: {r.stdout}{r.stderr}")
    r = subprocess.run([ctl, *at, "exec", "--", "no-such-program"], capture_output=True, text=True,
                       check=False)
    if r.returncode != 1 or "no-such-program" not in r.stderr:
        raise Failure(f"shuntctl exec of nothing: {r.returncode} {r.stderr}")


BOTH = {f.__name__: f for f in (lists, gets, stats, updates, zeroes, deletes, events,
                                events_of_a_kind, messages, refusals)}


def pump(side, packets):
    for port, frame in packets:
        if not side.router.forward(NAMES[port], frame, 1):
            raise Failure("a packet did not pass")


def flow_shown(side, mark):
    """Send until conntrack shows the mark."""
    end = time.monotonic() + WAIT
    while mark not in side.run("-L", "-p", "udp").stdout:
        if time.monotonic() > end:
            raise Failure(f"never {mark}: " + side.run("-L").stdout)
        pump(side, both_ways(7000, 53))


def offloaded(side, mark):
    """A flow that the flow table or the NIC carries: marked, alive, and deleted at once."""
    pump(side, both_ways(7000, 53))
    flow_shown(side, mark)
    fresh = side.counter("fresh")
    line = side.run("-L", "-p", "udp").stdout
    life = int(re.search(r"udp +17 (\d+) ", line).group(1))
    if not 0 < life <= 120 or "use=2" not in line:
        raise Failure("what is shown of an offloaded flow: " + line)
    pump(side, both_ways(7000, 53))
    if side.counter("fresh") != fresh:
        raise Failure("an offloaded flow's packet is new")
    r = side.run("-D", "-p", "udp")
    if r.returncode or mark not in r.stdout:
        raise Failure("-D: " + r.stdout + r.stderr)
    # The reply was waited for: the very next packet is a new connection's.
    pump(side, both_ways(7000, 53)[:1])
    if side.counter("fresh") != fresh + 1:
        raise Failure("a deleted flow's next packet was carried past the rules")
    flow_shown(side, mark)
    side.run("-U", "-f", "ipv4", "-p", "udp", "-m", "7")
    if mark in side.run("-L", "-p", "udp").stdout:
        raise Failure("a changed flow is still carried: " + side.run("-L", "-p", "udp").stdout)
    flow_shown(side, mark)
    r = side.run("-F")
    fresh = side.counter("fresh")
    pump(side, both_ways(7000, 53)[:1])
    if r.returncode or side.counter("fresh") != fresh + 1:
        raise Failure("-F left a flow")
    if "mark=7" in side.run("-L").stdout:
        raise Failure("a flushed connection is there")


def hot(side):
    """Updates and ends while packets come, and conntrack -E: nothing is lost or told twice."""
    listener = Events(side, "-p", "udp")
    poke = iter(range(20000, 30000))
    listener.until("sport=2", lambda: side.router.forward("lan", udp(LAN, A, next(poke), B, 9)))
    for sport in range(3000, 3200):
        pump(side, both_ways(sport, 53)[:1])
    # Through two seconds at least, which are the sequence numbers of what conntrack asks.
    end, mark = int(time.time()) + 2, 1
    while time.time() < end:
        mark += 1
        r = side.run("-U", "-f", "ipv4", "-p", "udp", "--dport", "53", "-m", str(mark))
        if r.returncode or " 200 flow entries" not in r.stderr or \
                r.stdout.count(f"mark={mark} ") != 200:
            raise Failure(f"-U: {r.returncode}, {r.stdout.count('mark=')} of 200, {r.stderr}")
    side.run("-D", "-p", "udp", "--dport", "53")
    side.router.forward("lan", udp(LAN, A, 19999, B, 9))
    listener.until("sport=19999")
    lines = listener.stop()
    for kind in ("[NEW]", "[UPDATE]", "[DESTROY]"):
        ports = [re.search(r"sport=(\d+)", x).group(1) for x in lines if kind in x]
        mine = sorted(p for p in ports if p.startswith("3"))
        times = mark - 1 if kind == "[UPDATE]" else 1
        if mine != [str(p) for p in range(3000, 3200) for _ in range(times)]:
            raise Failure(f"{kind}: {len(mine)}, not {times} of each of 200")


def sides_of(build, **how):
    shunt = ShuntRouter(TOPO, build, **how)
    return KernelRouter(TOPO), shunt


def shunt_side(shunt, build):
    env = {**os.environ, "SHUNT_NFT_SOCKET": shunt._path("nft.sock"),
           "LD_PRELOAD": os.path.join(build, "lib", "nft", "shim", "libshunt-nft.so")}
    return Side("shuntd", shunt, ["conntrack"], env)


def with_rules(router, text):
    with tempfile.NamedTemporaryFile("w", suffix=".nft", encoding="ascii") as f:
        f.write(text)
        f.flush()
        router.load(f.name)


def run_both(name, build):
    kernel, shunt = sides_of(build, offload="software")
    with kernel, shunt:
        for router in (kernel, shunt):
            with_rules(router, RULES)
        t = Test(Side("Linux", kernel, enter(kernel.lab.router) + ["conntrack"]),
                 shunt_side(shunt, build))
        BOTH[name](t)
        if shunt.conservation() != 0:
            raise Failure(f"{shunt.conservation()} packets are missing")
        return t.compared


def run_alone(build, scenario, rules=RULES, **how):
    with ShuntRouter(TOPO, build, **how) as shunt:
        with_rules(shunt, rules)
        scenario(shunt_side(shunt, build))
        if shunt.conservation() != 0:
            raise Failure(f"{shunt.conservation()} packets are missing")
    return 1


def alone(build, nicmodel):
    found = {
        "offload_software": lambda: run_alone(build, lambda s: offloaded(s, "[OFFLOAD]"), FLOWTABLE,
                                              offload="software"),
        "hot": lambda: run_alone(build, hot, offload="software"),
        "hot_workers": lambda: run_alone(build, hot, offload="software", workers=(0, 1)),
    }
    if nicmodel:
        found["offload_nic"] = lambda: run_alone(
            build, lambda s: offloaded(s, "[HW_OFFLOAD]"), FLOWTABLE, offload="flowtable",
            nicmodel=nicmodel)
        # One that takes its time to forget: the answer has to wait.
        found["offload_slow_nic"] = lambda: run_alone(
            build, lambda s: offloaded(s, "[HW_OFFLOAD]"), FLOWTABLE, offload="flowtable",
            nicmodel=nicmodel, nic=",destroy_us=100000")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--nicmodel", help="the modelled NIC's plugin")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    if os.geteuid() != 0 or shutil.which("conntrack") is None or not ShuntRouter.built(build):
        print("skipped: needs root, conntrack and a built shuntd")
        return 77
    jobs = {n: (lambda n=n: run_both(n, build)) for n in BOTH}
    jobs.update(alone(build, args.nicmodel))
    failed = 0
    for name in args.names or jobs:
        try:
            print(f"{name}: equal, {jobs[name]()} comparisons", flush=True)
        except (Failure, TimeoutError, RuntimeError) as e:
            print(f"{name}: DIFFERENT\n{e}", flush=True)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
