# SPDX-License-Identifier: GPL-2.0-or-later
"""A router namespace, and a peer namespace with both of its links' far ends."""
import ctypes
import itertools
import os
import select
import signal
import socket
import struct
import subprocess
import sys

TABLE = """
table inet t {
    chain f {
        type filter hook forward priority 0
        meta nfproto ipv4 ct state new ip dscp set 1
        meta nfproto ipv4 ct state established ip dscp set 2
        meta nfproto ipv4 ct state invalid ip dscp set 3
        meta nfproto ipv4 ct state related ip dscp set 4
        meta nfproto ipv4 ct state untracked ip dscp set 5
        meta nfproto ipv6 ct state new ip6 dscp set 1
        meta nfproto ipv6 ct state established ip6 dscp set 2
        meta nfproto ipv6 ct state invalid ip6 dscp set 3
        meta nfproto ipv6 ct state related ip6 dscp set 4
        meta nfproto ipv6 ct state untracked ip6 dscp set 5
    }
}
"""
CT_STATES = (None, "new", "established", "invalid", "related", "untracked")
TCP_STATES = ("NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK",
              "TIME_WAIT", "CLOSE", "SYN_SENT2")
HOSTS4 = (socket.inet_aton("10.0.0.2"), socket.inet_aton("10.0.1.2"))
HOSTS6 = tuple(socket.inet_pton(socket.AF_INET6, a) for a in ("fd00::2", "fd00:0:0:1::2"))
CLONE_NEWNET = 0x40000000


class SkipTest(Exception):
    """This machine cannot run the test."""


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(family, side, proto, length):
    hosts = HOSTS4 if family == 4 else HOSTS6
    return hosts[side] + hosts[not side] + struct.pack("!II", length, proto)


def tcp_bytes(side, ports, seq, ack, flags, win, options, length, damage):
    """A TCP segment, header first; damage: None, checksum, doff (beyond the end), short."""
    options += b"\0" * (-len(options) % 4)
    sport, dport = ports if side == 0 else ports[::-1]
    doff = 5 + len(options) // 4
    if damage == "doff":
        doff, length = 15, 0
        options = options[:20]
    header = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, doff << 4, flags, win, 0, 0)
    data = header + options + bytes(length)
    if damage == "short":
        data = data[:12]
    if len(data) >= 18:
        total = checksum(pseudo(4, side, 6, len(data)) + data)
        data = data[:16] + struct.pack("!H", total ^ (damage == "checksum")) + data[18:]
    return data


def icmp_packet(family, type_, ident):
    data = struct.pack("!BBHHH", type_, 0, 0, ident, 1) + bytes(32)
    if family == 4:
        total = checksum(data)
    else:
        total = checksum(pseudo(6, 0, 58, len(data)) + data)
    return (1 if family == 4 else 58, data[:2] + struct.pack("!H", total) + data[4:])


def attributes(data):
    out = {}
    while len(data) >= 4:
        length, type_ = struct.unpack_from("HH", data)
        if length < 4:
            break
        out[type_ & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3:]
    return out


def attribute(type_, payload):
    return struct.pack("HH", 4 + len(payload), type_) + payload + b"\0" * (-len(payload) % 4)


def nested(type_, *parts):
    return attribute(type_ | 0x8000, b"".join(parts))


def header_type(family):
    return struct.pack("!H", 0x0800 if family == 4 else 0x86DD)


class Router:
    """The two namespaces, alive inside a with statement."""

    def __init__(self):
        if os.geteuid() != 0:
            raise SkipTest("needs root")
        self.names = [f"tracker-{role}-{os.getpid()}" for role in ("router", "peer")]
        self.ident = 0
        self.libc = ctypes.CDLL(None, use_errno=True)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))
        try:
            self.build()
        except (OSError, subprocess.CalledProcessError) as error:
            self.remove()
            raise SkipTest(f"no namespaces, veth or nft: {error}") from error

    def run(self, *words, **kwargs):
        return subprocess.run(words, check=True, capture_output=True, text=True, **kwargs).stdout

    def build(self):
        router, peer = self.names
        for name in self.names:
            self.run("ip", "netns", "add", name)
        for name, key in itertools.product(self.names, ("all", "default")):
            self.run("ip", "netns", "exec", name, "sysctl", "-qw", f"net.ipv4.conf.{key}.rp_filter=0",
                     f"net.ipv6.conf.{key}.disable_ipv6={int(name == peer)}")
        macs = []
        for side, (far, near) in enumerate((("a0", "r0"), ("b0", "r1"))):
            self.run("ip", "link", "add", far, "netns", peer, "type", "veth",
                     "peer", "name", near, "netns", router)
            self.run("ip", "-n", router, "addr", "add", f"10.0.{side}.1/24", "dev", near)
            self.run("ip", "-n", router, "addr", "add", f"fd00:0:0:{side}::1/64", "dev", near, "nodad")
            for name, dev in ((router, near), (peer, far)):
                self.run("ip", "-n", name, "link", "set", dev, "up")
                macs.append(self.run("ip", "netns", "exec", name, "cat",
                                     f"/sys/class/net/{dev}/address").strip())
            for address in (f"10.0.{side}.2", f"fd00:0:0:{side}::2"):
                self.run("ip", "-n", router, "neigh", "replace", address, "lladdr", macs[-1],
                         "dev", near, "nud", "permanent")
        self.ethernet = [bytes.fromhex(macs[0].replace(":", "") + macs[1].replace(":", "")),
                         bytes.fromhex(macs[2].replace(":", "") + macs[3].replace(":", ""))]
        self.inside(router, self.open_router)
        for key in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            self.sysctl(key, 1)
        self.run("ip", "netns", "exec", router, "nft", "-f", "-", input=TABLE)
        self.inside(peer, self.open_peer)

    def inside(self, name, function):
        """Call a function in a namespace; sockets that it opens stay there."""
        with open("/proc/self/ns/net") as home, open(f"/run/netns/{name}") as there:
            if self.libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return function()
            finally:
                self.libc.setns(home.fileno(), CLONE_NEWNET)

    def open_router(self):
        self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.netlink.bind((0, 0))

    def open_peer(self):
        self.links = []
        for dev in ("a0", "b0"):
            link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            link.bind((dev, 0))
            self.links.append(link)

    def sysctl(self, path, value):
        def write():
            with open(f"/proc/sys/{path}", "w") as file:
                file.write(str(value))
        self.inside(self.names[0], write)

    def remove(self):
        for name in self.names:
            subprocess.run(("ip", "netns", "del", name), capture_output=True, check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def forward_tcp(self, side, data):
        return self.forward(side, (6, data), 4)

    def forward(self, side, packet, family):
        """Send one packet from a side; the ct state that it has as it comes out of the other."""
        proto, data = packet
        self.ident = self.ident % 0xFFFF + 1
        if family == 4:
            header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), self.ident, 0, 64, proto, 0) \
                + HOSTS4[side] + HOSTS4[not side]
            header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        else:
            header = struct.pack("!IHBB", 6 << 28 | self.ident, len(data), proto, 64) \
                + HOSTS6[side] + HOSTS6[not side]
        self.links[side].send(self.ethernet[side] + header_type(family) + header + data)
        return self.receive(self.links[not side], family)

    def receive(self, link, family):
        while True:
            if not select.select([link], [], [], 5)[0]:
                return "lost"
            frame, address = link.recvfrom(65535)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            if family == 4 and frame[12:14] == b"\x08\0":
                if struct.unpack_from("!H", frame, 18)[0] == self.ident:
                    return CT_STATES[frame[15] >> 2]
            elif family == 6 and frame[12:14] == b"\x86\xdd":
                word = struct.unpack_from("!I", frame, 14)[0]
                if word & 0xFFFFF == self.ident:
                    return CT_STATES[word >> 22 & 0x3F]

    def request(self, type_, flags, payload=b""):
        message = struct.pack("BBH", socket.AF_INET, 0, 0) + payload
        self.netlink.send(struct.pack("IHHII", 16 + len(message), 1 << 8 | type_, flags | 1, 0, 0)
                          + message)
        answer = self.netlink.recv(65536)
        if struct.unpack_from("H", answer, 4)[0] == 2:
            error = -struct.unpack_from("i", answer, 16)[0]
            if error not in (0, 2):
                raise OSError(error, "ctnetlink")
            return None
        return answer[20:]

    def flush(self):
        self.request(2, 4)

    def connection(self, ports):
        """What ctnetlink says of a connection: state, status, timeout, flags, scale; None without."""
        ips = nested(1, attribute(1, HOSTS4[0]), attribute(2, HOSTS4[1]))
        proto = nested(2, attribute(1, b"\x06"), attribute(2, struct.pack("!H", ports[0])),
                       attribute(3, struct.pack("!H", ports[1])))
        answer = self.request(1, 0, nested(1, ips, proto))
        if answer is None:
            return None
        top = attributes(answer)
        tcp = attributes(attributes(top[4])[1])
        return {
            "state": TCP_STATES[tcp[1][0]],
            "status": struct.unpack("!I", top[3])[0],
            "flags": [tcp[4][0], tcp[5][0]],
            "scale": [tcp[2][0], tcp[3][0]],
            "timeout": struct.unpack("!I", top[7])[0],
        }

