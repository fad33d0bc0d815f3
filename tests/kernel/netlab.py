# SPDX-License-Identifier: GPL-2.0-or-later
"""A router namespace and a peer namespace with a veth pair a port, and the wire between them.

    peer namespace                      router namespace
    packet socket -- p0 ============== lan   (the Nth port's MAC: 02:ff:00:00:00:0N)
    packet socket -- p1 ============== wan
"""
import contextlib
import ctypes
import ipaddress
import os
import select
import socket
import struct
import subprocess
import time

CLONE_NEWNET = 0x40000000
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
TP_STATUS_CSUMNOTREADY, TP_STATUS_VLAN_VALID = 1 << 3, 1 << 4
ETH_P_ALL = 3
OFFLOADS = ("rx off tx off sg off tso off gso off gro off rxvlan off txvlan off "
            "tx-udp-segmentation off").split()

_libc = ctypes.CDLL(None, use_errno=True)


def sh(*argv, **kw):
    """Run a program; its standard output. Failure is an exception with its standard error."""
    r = subprocess.run(argv, capture_output=True, text=True, check=False, **kw)
    if r.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {r.stderr.strip() or r.stdout.strip()}")
    return r.stdout


@contextlib.contextmanager
def inside(ns):
    """This thread in a named network namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{ns}", os.O_RDONLY)
    try:
        if _libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {ns}")
        yield
    finally:
        if _libc.setns(home, CLONE_NEWNET):
            os._exit(70)
        os.close(there)
        os.close(home)


def enter(ns):
    """The words before a command that run it in a namespace; unlike `ip netns exec`, mount nothing."""
    return ["nsenter", f"--net=/run/netns/{ns}", "--"]


def port_mac(n):
    """The MAC of the Nth port, counted from 1."""
    return f"02:ff:00:00:00:{n:02x}"


def host_mac(address):
    """The MAC of a host: 02:00 and its IPv4 address; of IPv6, the last four bytes."""
    return "02:00:" + ":".join(f"{b:02x}" for b in ipaddress.ip_address(address).packed[-4:])


def neighbours(topo):
    """Every static neighbour of a topology: (port name, address, MAC)."""
    found = {}
    own = {a.split("/")[0] for p in topo["ports"] for a in p["addrs"]}
    for port in topo["ports"]:
        for a in port["addrs"]:
            net = ipaddress.ip_interface(a).network
            first = int(net.network_address) + 1
            last = min(first + topo.get("auto_neigh", 0), int(net.broadcast_address))
            for n in range(first, last):
                host = str(type(net.network_address)(n))
                if host not in own:
                    found[(port["name"], host)] = host_mac(host)
    for gateway in gateways(topo):
        for port in topo["ports"]:
            if any(ipaddress.ip_address(gateway) in ipaddress.ip_interface(a).network
                   for a in port["addrs"]):
                found[(port["name"], gateway)] = host_mac(gateway)
    for n in topo.get("neighbours", []):
        found[(n["port"], n["address"])] = n["mac"]
    return [(p, a, m) for (p, a), m in found.items()]


def gateways(topo):
    words = [r.split() for r in topo.get("routes", [])]
    return [w[w.index("via") + 1] for w in words if "via" in w]


def has_ipv6(topo):
    return any(":" in a for p in topo["ports"] for a in p["addrs"])


class Lab:
    """The two namespaces of one router. Use as a context: leaving deletes them."""

    _count = 0

    def __init__(self, topo, name, noise=None):
        Lab._count += 1
        tag = f"{os.getpid()}-{Lab._count}"
        self.topo = topo
        self.router, self.peer = f"shunt-{name}-{tag}", f"shunt-peer-{tag}"
        self.ports = [p["name"] for p in topo["ports"]]
        self.wire, self.noise = None, noise

    def __enter__(self):
        try:
            for ns in (self.router, self.peer):
                sh("ip", "netns", "add", ns)
            self._base_sysctls()
            self._links()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc):
        if self.wire:
            self.wire.close()
        for ns in (self.router, self.peer):
            subprocess.run(["ip", "netns", "del", ns], capture_output=True, check=False)

    def sysctl(self, ns, values):
        """Set sysctls in a namespace; one that this kernel lacks is an error."""
        with inside(ns):
            for key, value in values.items():
                with open("/proc/sys/" + key, "w", encoding="ascii") as f:
                    f.write(f"{value}\n")

    def _base_sysctls(self):
        # IPv6 where it is used only; its own messages soon over: they move the output counters.
        for ns in (self.router, self.peer):
            off = 0 if ns == self.router and has_ipv6(self.topo) else 1
            self.sysctl(ns, {f"net/ipv6/conf/{c}/{k}": v for c in ("all", "default") for k, v in
                             (("disable_ipv6", off), ("accept_ra", 0), ("accept_dad", 0),
                              ("router_solicitations", 0),
                              ("mldv2_unsolicited_report_interval", 1))})

    def _links(self):
        names = self.ports + self.topo.get("extra_ifs", [])
        for i, name in enumerate(names):
            sh("ip", "link", "add", name, "netns", self.router, "address", port_mac(i + 1),
               "type", "veth", "peer", "name", f"p{i}", "netns", self.peer)
            for ns, dev in ((self.router, name), (self.peer, f"p{i}")):
                sh(*enter(ns), "ethtool", "-K", dev, *OFFLOADS)
            mtu = self.topo["ports"][i].get("mtu") if i < len(self.ports) else None
            if mtu:
                sh("ip", "-n", self.router, "link", "set", name, "mtu", str(mtu))
            sh("ip", "-n", self.peer, "link", "set", f"p{i}", "up")
            sh("ip", "-n", self.router, "link", "set", name, "up")
        sh("ip", "-n", self.router, "link", "set", "lo", "up")
        self.wire = Wire(self.peer, self.ports, self.noise)

    def execute(self, *argv, **kw):
        """Run a program in the router namespace."""
        return sh(*enter(self.router), *argv, **kw)


class Wire:
    """A packet socket on the peer's end of every port. noise(frame): is it to be ignored?"""

    def __init__(self, ns, ports, noise=None):
        self.noise = noise
        self.socks, self.by_fd = {}, {}
        self.poll = select.poll()
        self.unfinished = 0     # frames whose checksum the sender left to a NIC
        with inside(ns):
            for i, name in enumerate(ports):
                s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
                s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
                s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
                s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)   # SO_RCVBUFFORCE
                s.bind((f"p{i}", ETH_P_ALL))
                self.socks[name] = s
                self.by_fd[s.fileno()] = (name, s)
                self.poll.register(s, select.POLLIN)

    def close(self):
        for s in self.socks.values():
            s.close()

    def send(self, port, frame):
        self.socks[port].send(frame)

    def receive(self, want=0, seconds=0.0):
        """What has come, in order for each port; waits until there are `want` frames or time is up."""
        got = []
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic() if len(got) < want else 0
            ready = self.poll.poll(max(0, left * 1000))
            for fd, _ in ready:
                name, s = self.by_fd[fd]
                frame = self._read(s)
                if frame is not None:
                    got.append((name, frame))
            if not ready and (len(got) >= want or left <= 0):
                return got

    def _read(self, s):
        try:
            data, anc, _flags, _addr = s.recvmsg(65536, 64)
        except (BlockingIOError, OSError):
            return None
        for level, kind, aux in anc:
            if level == SOL_PACKET and kind == PACKET_AUXDATA and len(aux) >= 20:
                status, _len, _snap, _mac, _net, tci, tpid = struct.unpack_from("=IIIHHHH", aux)
                if status & TP_STATUS_CSUMNOTREADY:
                    self.unfinished += 1
                if status & TP_STATUS_VLAN_VALID:
                    data = data[:12] + struct.pack("!HH", tpid or 0x8100, tci) + data[12:]
        return None if self.noise and self.noise(data) else data

    def quiet(self, window=0.1, seconds=10):
        """Wait until nothing has come for a window of time, noise included."""
        end = time.monotonic() + seconds
        while self.poll.poll(window * 1000) and time.monotonic() < end:
            self.receive()
