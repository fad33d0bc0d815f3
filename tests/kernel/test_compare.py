#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison must find what is wrong, and forgive what its closed list says only."""
import struct
import unittest

from compare import Bijection, Comparison, port_ranges, tidy_connection, tidy_ruleset
from frame import endpoints, frame_ip

LAN, HOST, NAT, SERVER, ROUTER = (bytes(a) for a in (
    [10, 0, 1, 1], [10, 0, 1, 10], [192, 0, 2, 1], [198, 51, 100, 7], [203, 0, 113, 1]))
RANGE = [{"rule": {"expr": [{"snat": {"addr": "192.0.2.1", "port": {"range": [2000, 2999]}}}]}}]
ETHER = bytes.fromhex("0200000000aa0200000000bb0800")


def sum16(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(src, dst, proto, payload, ttl=64, ident=7):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, 0, ttl, proto, 0, src, dst)
    return head[:10] + struct.pack("!H", sum16(head)) + head[12:] + payload


def udp(src, sport, dst, dport, data=b"data", ttl=64, ident=7, checksum=True):
    body = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    if checksum:
        pseudo = src + dst + struct.pack("!HH", 17, len(body))
        body = body[:6] + struct.pack("!H", sum16(pseudo + body) or 0xffff) + body[8:]
    return ETHER + ipv4(src, dst, 17, body, ttl, ident)


def icmp(src, dst, kind, rest, ttl=64, ident=7):
    body = bytes([kind, 0, 0, 0]) + rest
    body = body[:2] + struct.pack("!H", sum16(body)) + body[4:]
    return ETHER + ipv4(src, dst, 1, body, ttl, ident)


class Forgiving(unittest.TestCase):
    def setUp(self):
        self.compare = Comparison(RANGE)
        self.inp = udp(HOST, 5000, SERVER, 53)

    def same(self, guide, live, inp=None):
        return self.compare.frame(guide, live, inp or self.inp) is None

    def test_equal(self):
        out = udp(HOST, 5000, SERVER, 53, ttl=63)
        self.assertTrue(self.same(out, out))
        self.assertFalse(self.compare.forgiven)

    def test_every_byte_counts(self):
        out = udp(HOST, 5000, SERVER, 53, ttl=63)
        for at in range(len(out)):
            other = bytearray(out)
            other[at] ^= 1
            self.assertFalse(self.same(out, bytes(other)), f"byte {at}")

    def test_every_byte_counts_beside_a_forgiven_port(self):
        guide = udp(NAT, 2100, SERVER, 53, ttl=63)
        live = udp(NAT, 2200, SERVER, 53, ttl=63)
        self.assertIsNone(Comparison(RANGE).frame(guide, live, self.inp))
        for at in set(range(len(live))) - {34, 35}:
            other = bytearray(live)
            other[at] ^= 1
            self.assertIsNotNone(Comparison(RANGE).frame(guide, bytes(other), self.inp), f"byte {at}")

    def test_port_of_a_range(self):
        self.assertTrue(self.same(udp(NAT, 2100, SERVER, 53), udp(NAT, 2200, SERVER, 53)))
        self.assertEqual(self.compare.forgiven, {"nat-port-range": 1})

    def test_port_outside_the_range(self):
        self.assertFalse(self.same(udp(NAT, 2100, SERVER, 53), udp(NAT, 5000, SERVER, 53)))

    def test_port_without_a_range(self):
        compare = Comparison([])
        self.assertIsNotNone(compare.frame(udp(NAT, 5000, SERVER, 53), udp(NAT, 6000, SERVER, 53),
                                           self.inp))

    def test_clash(self):
        compare = Comparison([])
        self.assertIsNone(compare.frame(udp(NAT, 7000, SERVER, 53), udp(NAT, 6000, SERVER, 53),
                                        self.inp))
        self.assertEqual(compare.forgiven, {"nat-port-clash": 1})

    def test_clash_stays_in_its_class(self):
        compare, inp = Comparison([]), udp(HOST, 800, SERVER, 53)
        self.assertIsNotNone(compare.frame(udp(NAT, 700, SERVER, 53), udp(NAT, 7000, SERVER, 53), inp))

    def test_port_without_nat(self):
        self.assertFalse(self.same(udp(HOST, 5000, SERVER, 53), udp(HOST, 5001, SERVER, 53)))

    def test_bijection_keeps_its_port(self):
        self.assertTrue(self.same(udp(NAT, 2100, SERVER, 53), udp(NAT, 2200, SERVER, 53)))
        self.assertFalse(self.same(udp(NAT, 2100, SERVER, 53), udp(NAT, 2201, SERVER, 53)))

    def test_bijection_takes_no_port_twice(self):
        self.assertTrue(self.same(udp(NAT, 2100, SERVER, 53), udp(NAT, 2200, SERVER, 53)))
        self.assertFalse(self.same(udp(NAT, 2101, SERVER, 53), udp(NAT, 2200, SERVER, 53)))

    def test_a_new_connection_may_take_the_port(self):
        self.assertTrue(self.same(udp(NAT, 2100, SERVER, 53), udp(NAT, 2200, SERVER, 53)))
        other = udp(LAN, 5000, SERVER, 53)
        self.assertTrue(self.same(udp(NAT, 2100, SERVER, 53), udp(NAT, 2300, SERVER, 53), other))

    def test_input_is_translated(self):
        self.assertTrue(self.same(udp(NAT, 2100, SERVER, 53), udp(NAT, 2200, SERVER, 53)))
        self.assertEqual(self.compare.ports.translate(udp(SERVER, 53, NAT, 2100)),
                         udp(SERVER, 53, NAT, 2200))
        quote = udp(NAT, 2100, SERVER, 53)[14:]
        mine = udp(NAT, 2200, SERVER, 53)[14:]
        self.assertEqual(
            self.compare.ports.translate(icmp(ROUTER, NAT, 3, bytes(4) + quote)),
            icmp(ROUTER, NAT, 3, bytes(4) + mine))

    def test_a_strange_input_stays_strange(self):
        self.assertTrue(self.same(udp(NAT, 2100, SERVER, 53), udp(NAT, 2200, SERVER, 53)))
        got = self.compare.ports.translate(udp(SERVER, 53, NAT, 2200))
        self.assertEqual(endpoints(got)[1].port, 2100)

    def test_no_checksum_stays_none(self):
        guide = udp(NAT, 2100, SERVER, 53, checksum=False)
        self.assertTrue(self.same(guide, udp(NAT, 2200, SERVER, 53, checksum=False)))
        self.assertFalse(self.same(guide, udp(NAT, 2200, SERVER, 53)))

    def test_ident_of_the_router(self):
        quote = bytes(4) + self.inp[14:]
        self.assertTrue(self.same(icmp(LAN, HOST, 3, quote, ident=1), icmp(LAN, HOST, 3, quote, ident=2)))
        self.assertEqual(self.compare.forgiven, {"ip-id": 1})

    def test_ident_of_a_forwarded_error(self):
        quote = bytes(4) + udp(SERVER, 53, HOST, 5000)[14:]
        inp = icmp(SERVER, HOST, 3, quote, ident=1)
        self.assertFalse(self.same(icmp(SERVER, HOST, 3, quote, 63, 1),
                                   icmp(SERVER, HOST, 3, quote, 63, 2), inp))

    def test_ident_of_a_forwarded_packet(self):
        self.assertFalse(self.same(udp(HOST, 5000, SERVER, 53, ident=1),
                                   udp(HOST, 5000, SERVER, 53, ident=2)))


class Whole(unittest.TestCase):
    def setUp(self):
        self.compare = Comparison([])
        self.inp = udp(HOST, 5000, SERVER, 53)
        self.out = udp(HOST, 5000, SERVER, 53, ttl=63)

    def test_missing_extra_elsewhere_reordered(self):
        other = udp(HOST, 5000, SERVER, 53, b"more", ttl=63)
        for live in ([], [("wan", self.out)] * 2, [("dmz", self.out)], [("wan", other)]):
            self.assertFalse(self.compare.packet(0, self.inp, [("wan", self.out)], live))
        self.assertFalse(self.compare.packet(0, self.inp, [("wan", self.out), ("wan", other)],
                                             [("wan", other), ("wan", self.out)]))
        self.assertEqual(len(self.compare.differences), 5)

    def test_counter(self):
        def rules(packets):
            return [{"metainfo": {"version": str(packets)}},
                    {"rule": {"handle": 1, "expr": [{"counter": {"packets": packets, "bytes": 1}}]}}]
        self.compare.rulesets(rules(1), rules(1))
        self.assertFalse(self.compare.differences)
        self.compare.rulesets(rules(1), rules(2))
        self.assertEqual(len(self.compare.differences), 1)

    def test_missing_rule(self):
        self.compare.rulesets([{"rule": {"handle": 1, "expr": []}}], [])
        self.assertTrue(self.compare.differences)

    def test_flow_add_is_no_difference(self):
        plain = [{"rule": {"handle": 2, "expr": [{"counter": {"packets": 3, "bytes": 1}}]}}]
        match = {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}}
        flow = [{"flowtable": {"name": "f"}},
                {"rule": {"handle": 2, "expr": [match, {"flow": {"op": "add", "flowtable": "@f"}}]}},
                {"rule": {"handle": 3, "expr": [{"counter": {"packets": 3, "bytes": 1}}]}}]
        self.assertEqual(tidy_ruleset(plain, True), tidy_ruleset(flow, True))
        self.assertNotEqual(tidy_ruleset(plain, False), tidy_ruleset(flow, False))

    def test_connections(self):
        line = ("ipv4 2 udp 17 {t} src=10.0.1.10 dst=198.51.100.7 sport=5000 dport=53 packets=1 bytes=9 "
                "src=198.51.100.7 dst=192.0.2.1 sport=53 dport={p} packets={n} bytes=0 mark=0 use=1")
        compare = Comparison(RANGE)
        compare.frame(udp(NAT, 2100, SERVER, 53), udp(NAT, 2200, SERVER, 53), self.inp)
        compare.connections([line.format(t=9, p=2100, n=0)], [line.format(t=8, p=2200, n=0)])
        self.assertFalse(compare.differences)
        compare.connections([line.format(t=9, p=2100, n=0)], [line.format(t=8, p=2200, n=1)])
        self.assertEqual(len(compare.differences), 2)
        self.assertNotIn("29 ", tidy_connection(line.format(t=29, p=1, n=1)))


class Parsing(unittest.TestCase):
    def test_ranges(self):
        rules = RANGE + [{"rule": {"expr": [{"masquerade": {"port": {"range": [1024, 65535]}}}]}},
                         {"rule": {"expr": [{"snat": {"addr": "192.0.2.9"}}, {"masquerade": None}]}}]
        self.assertEqual([r[1:] for r in port_ranges(rules)], [(2000, 2999), (1024, 65535)])

    def test_truncation(self):
        quote = bytes(4) + udp(NAT, 2100, SERVER, 53)[14:]
        for whole in (udp(HOST, 1, SERVER, 2), icmp(ROUTER, NAT, 3, quote), icmp(HOST, SERVER, 8, bytes(8))):
            for n in range(len(whole)):
                endpoints(whole[:n])
                frame_ip(whole[:n])
                Bijection().translate(whole[:n])


if __name__ == "__main__":
    unittest.main()
