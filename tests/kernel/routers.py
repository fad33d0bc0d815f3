# SPDX-License-Identifier: GPL-2.0-or-later
"""The two routers that are compared, behind one interface.

A router is a context: entering builds the namespaces and starts it, leaving
removes everything. It has
  load(path)              load a ruleset file; RulesetRefused if it does not load
  forward(port, frame, want)
                          send one frame, return what came out of it as
                          [(port, frame)]; `want` is how many frames the other
                          router sent, a hint for how long to look
  command(line)           run a case's `cmd`
  tail()                  what came out after the last packet
  ruleset()               `nft -j list ruleset`, the list under "nftables"
  connections()           `conntrack -L`, lines; None if the router has no such listing
  conservation()          what is missing in the packet balance, None if it has none
"""
import collections
import json
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from netlab import Lab, enter, gateways, has_ipv6, neighbours, port_mac, sh

POLLED = 5          # seconds within which the counts of a NIC are read
LATE = 0.25         # seconds within which a frame that the other router sent must come
START = 60          # seconds within which shuntd must be ready

# What doc/kernel-baseline.md lists; those of one interface go to "all" and "default".
SYSCTLS = {
    "net/ipv4/ip_forward": 1,
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv4/icmp_ratemask": 0,
    "net/ipv4/icmp_errors_use_inbound_ifaddr": 0,
    "net/ipv4/tcp_timestamps": 0,
    "net/netfilter/nf_conntrack_acct": 1,
    "net/netfilter/nf_conntrack_checksum": 1,
    "net/netfilter/nf_conntrack_tcp_loose": 1,
    "net/netfilter/nf_conntrack_tcp_be_liberal": 0,
}
SYSCTLS_INTERFACE = {"rp_filter": 0, "send_redirects": 0, "accept_redirects": 0,
                     "secure_redirects": 0}
SYSCTLS_IPV6 = {
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv6/icmp/ratelimit": 0,
    "net/ipv6/icmp/ratemask": "",
}


class RulesetRefused(Exception):
    """The router refused the ruleset; the text is nft's."""


def own_noise(frame):
    """What Linux sends of its own accord: ARP; MLD reports, neighbour and router solicitations."""
    if frame[12:14] == b"\x08\x06":
        return True
    if frame[:2] != b"\x33\x33" or frame[12:14] != b"\x86\xdd":
        return False
    kind = frame[62:63] if frame[20:21] == b"\0" else frame[54:55]
    return kind in (b"\x83", b"\x84", b"\x85", b"\x87", b"\x8f")


class KernelRouter:
    """Linux forwards in the router namespace. veth forwards within send()."""

    def __init__(self, topo):
        self.lab = Lab(topo, "kernel", own_noise)
        self.topo = topo

    def __enter__(self):
        self.lab.__enter__()
        try:
            self._configure()
        except BaseException:
            self.lab.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        self.lab.__exit__(*exc)

    def _configure(self):
        lab = self.lab
        lab.sysctl(lab.router, SYSCTLS)
        lab.sysctl(lab.router, {f"net/ipv4/conf/{c}/{k}": v for c in ["all", "default"] + lab.ports
                                for k, v in SYSCTLS_INTERFACE.items()})
        if has_ipv6(self.topo):
            lab.sysctl(lab.router, SYSCTLS_IPV6)
        lines = [f"addr add {a} dev {p['name']}{' nodad' if ':' in a else ''}"
                 for p in self.topo["ports"] for a in p["addrs"]]
        lines += [f"neigh replace {a} lladdr {m} dev {p} nud permanent"
                  for p, a, m in neighbours(self.topo)]
        lines += [f"route add {r}" for r in self.topo.get("routes", [])]
        sh("ip", "-n", lab.router, "-batch", "-", input="\n".join(lines) + "\n")
        if has_ipv6(self.topo):
            lab.wire.quiet()

    def load(self, path):
        try:
            self.lab.execute("nft", "-f", path)
        except RuntimeError as e:
            raise RulesetRefused(str(e)) from e

    def forward(self, port, frame, want=0):
        self.lab.wire.send(port, frame)
        return self.lab.wire.receive(want, LATE / 10)

    def command(self, line):
        self.lab.execute("sh", "-c", line)

    def tail(self):
        return self.lab.wire.receive(1, LATE)

    def ruleset(self):
        return json.loads(self.lab.execute("nft", "-j", "list", "ruleset"))["nftables"]

    def connections(self):
        return self.lab.execute("conntrack", "-L", "-o", "extended").splitlines()

    def conservation(self):
        return None


class Control:
    """A client of shuntd's control socket: JSON-RPC 2.0, one object a line."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(path)
        self.file = self.sock.makefile("rw", encoding="utf-8")
        self.next_id = 0

    def call(self, method, **params):
        self.next_id += 1
        self.file.write(json.dumps({"jsonrpc": "2.0", "id": self.next_id, "method": method,
                                    "params": params}) + "\n")
        self.file.flush()
        for line in self.file:
            answer = json.loads(line)
            if answer.get("id") == self.next_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
        raise RuntimeError(f"{method}: shuntd closed the control socket")

    def close(self):
        self.file.close()
        self.sock.close()


class ShuntRouter:
    """shuntd forwards between the veths of a namespace whose kernel has no addresses."""

    # The terms of conservation (doc/architecture.md) in `show.status`'s "packets".
    IN = ("received", "generated", "split", "from_twins")
    OUT = ("transmitted", "punted", "held", "merged", "dropped")

    def __init__(self, topo, build, device="net_af_packet{n},iface={name}", offload="off",
                 workers=(0,), engine=None, eal=(), nicmodel=None, nic=""):
        self.lab = Lab(topo, "shuntd")
        self.topo, self.build, self.device = topo, build, device
        self.offload, self.nicmodel, self.carried = offload, nicmodel, False
        self.nic_options = nic      # of the modelled NIC, as ",create_us=100"
        self.runtime = {"workers": list(workers), "eal": list(eal)}
        if engine:
            self.runtime["engine"] = engine
        self.shuntctl = os.path.join(build, "app", "shuntctl", "shuntctl")
        self.dir = self.process = self.control = None
        self.sent = self.base = 0

    @staticmethod
    def built(build):
        return all(os.path.exists(os.path.join(build, "app", p, p)) for p in ("shuntd", "shuntctl"))

    def __enter__(self):
        self.lab.__enter__()
        try:
            self._quiet_kernel()
            self.dir = tempfile.mkdtemp(prefix="shunt-test-", dir="/run")
            if self.nicmodel:
                self._model()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        if self.control:
            self.control.close()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)
        self.lab.__exit__(*exc)

    def _quiet_kernel(self):
        """The kernel below the ports neither answers nor forwards."""
        lab = self.lab
        lab.sysctl(lab.router, {"net/ipv4/ip_forward": 0, "net/ipv6/conf/all/disable_ipv6": 1,
                                "net/ipv6/conf/default/disable_ipv6": 1})
        for name in lab.ports:
            sh("ip", "-n", lab.router, "link", "set", name, "arp", "off")

    def _model(self):
        """The ports are the modelled NIC's. EAL loads plugins from folders of root only."""
        plugin = shutil.copy(self.nicmodel, self.dir)
        self.runtime["eal"] += ["-d", plugin, "--no-pci"]
        self.device = "net_nicmodel{n},iface={name},mac={mac}" + self.nic_options

    def config(self):
        """The configuration file: YAML, of which JSON is a part."""
        ports = [{"name": p["name"], "mac": port_mac(i + 1), "mtu": p.get("mtu", 1500),
                  "device": self.device.format(n=i, name=p["name"], mac=port_mac(i + 1)), "addresses": p["addrs"]}
                 for i, p in enumerate(self.topo["ports"])]
        routes = []
        for r in self.topo.get("routes", []):
            to, via = r.split()[0], gateways({"routes": [r]})
            if not via:
                raise ValueError(f"route '{r}': only routes with a gateway are known here")
            default = "::/0" if ":" in via[0] else "0.0.0.0/0"
            routes.append({"to": default if to == "default" else to, "via": via[0]})
        return {
            "runtime": self.runtime,
            "ports": ports,
            "host": {"twins": False},
            "routes": routes,
            "neighbours": [{"port": p, "address": a, "mac": m}
                           for p, a, m in neighbours(self.topo)],
            "ruleset": self._path("empty.nft"),
            "offload": {"mode": self.offload},
            "control": {"socket": self._path("control.sock"), "nft": self._path("nft.sock")},
        }

    def _path(self, name):
        return os.path.join(self.dir, name)

    def _start(self):
        """Start shuntd and wait until it says READY=1, as systemd would."""
        with open(self._path("empty.nft"), "w", encoding="ascii") as f:
            f.write("# the test loads its ruleset\n")
        with open(self._path("shunt.yaml"), "w", encoding="utf-8") as f:
            json.dump(self.config(), f, indent=1)
            f.write("\n")
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(self._path("notify.sock"))
        with open(self._path("log"), "wb") as log, notify:
            self.process = subprocess.Popen(
                enter(self.lab.router) + [os.path.join(self.build, "app", "shuntd", "shuntd"),
                                          "-c", self._path("shunt.yaml")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": self._path("notify.sock")})
            self._wait_ready(notify)
        self.control = Control(self._path("control.sock"))
        self.base = self._packets()["received"]

    def _wait_ready(self, notify):
        poll = select.poll()
        pid = os.pidfd_open(self.process.pid)
        poll.register(notify, select.POLLIN)
        poll.register(pid, select.POLLIN)
        end = time.monotonic() + START
        try:
            while time.monotonic() < end:
                for fd, _ in poll.poll(1000):
                    if fd == pid:
                        raise RuntimeError("shuntd ended at its start:\n" + self.log())
                    if b"READY=1" in notify.recv(4096).split(b"\n"):
                        return
        finally:
            os.close(pid)
        raise RuntimeError(f"shuntd was not ready within {START} s:\n" + self.log())

    def log(self):
        with open(self._path("log"), encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-40:])

    def _ctl(self, *argv):
        return subprocess.run([self.shuntctl, "-s", self._path("control.sock"), *argv],
                              capture_output=True, text=True, check=False)

    def load(self, path):
        r = self._ctl("nft", "-f", path)
        if r.returncode:
            raise RulesetRefused(r.stderr.strip() or r.stdout.strip())

    def _packets(self):
        return self.control.call("show.status")["packets"]

    def missing(self):
        """Packets that are neither out nor held nor dropped with a reason: 0 when all is done."""
        p = self._packets()
        return sum(p.get(k, 0) for k in self.IN) - sum(p.get(k, 0) for k in self.OUT)

    def _settled(self):
        """Every frame sent was received and has left. Workers count when a walk is over."""
        p = self._packets()
        if self.nicmodel:
            nic = self.nic()
            return (nic["wire_rx"] >= self.sent and p["received"] == nic["sw_received"]
                    and nic["wire_rx"] == sum(nic[k] for k in ("hw_forwarded", "hw_dropped",
                                                               "sw_received", "sw_missed"))
                    and self.missing() == 0)
        return p["received"] - self.base >= self.sent and self.missing() == 0

    def nic(self):
        """The modelled NIC's own counters, all ports together."""
        total = collections.Counter()
        for port in self.control.call("show.ports")["rows"]:
            total.update(port["xstats"])
        return total

    def forward(self, port, frame, want=0):
        """As KernelRouter's. One packet at a time: the next goes in when this one is accounted for.

        A packet for which the kernel sent something is over when as many frames
        are out; one for which it sent nothing, when shuntd's own counters say so.
        """
        wire = self.lab.wire
        before = self.nic()["hw_forwarded"] if self.nicmodel else 0
        out = self._forward(wire, port, frame, want)
        self.carried = bool(self.nicmodel and self.nic()["hw_forwarded"] > before)
        return out

    def _forward(self, wire, port, frame, want):
        wire.send(port, frame)
        self.sent += 1
        out = wire.receive(want, LATE) if want else []
        if want and len(out) >= want:
            return out
        end = time.monotonic() + LATE
        while not self._settled():
            if time.monotonic() > end:
                break
        return out + wire.receive()

    def command(self, line):
        argv = shlex.split(line)
        if not argv or argv[0] not in ("nft", "conntrack"):
            raise ValueError(f"cmd '{line}': only nft and conntrack reach shuntd")
        r = self._ctl(*argv)
        if r.returncode:
            raise RuntimeError(f"{line}: {r.stderr.strip()}")

    def tail(self):
        end = time.monotonic() + LATE
        while not self._settled() and time.monotonic() < end:
            pass
        # Rules' counters have what the NIC carried once its counts were read.
        end = time.monotonic() + POLLED
        while self.nicmodel and time.monotonic() < end and \
                self.control.call("show.counters")["hardware"] < self.nic()["hw_forwarded"]:
            pass
        return self.lab.wire.receive()

    def ruleset(self):
        r = self._ctl("nft", "-j", "list", "ruleset")
        if r.returncode:
            raise RuntimeError("list ruleset: " + r.stderr.strip())
        return json.loads(r.stdout)["nftables"]

    def connections(self):
        r = self._ctl("conntrack", "-L")
        return r.stdout.splitlines() if r.returncode == 0 else None

    def conservation(self):
        return self.missing()
