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
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from netlab import enter
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
        self.out = tempfile.NamedTemporaryFile("r", prefix="conntrack-", encoding="utf-8")
        self.err = tempfile.NamedTemporaryFile("r", prefix="conntrack-", encoding="utf-8")
        self.process = subprocess.Popen(
            [*side.argv, "-E", *args], env=side.env, stdout=open(self.out.name, "w"),
            stderr=open(self.err.name, "w"))

    def text(self):
        with open(self.out.name, encoding="utf-8") as f:
            return f.read()

    def until(self, pattern, poke=lambda: None):
        """Wait until it has printed something; poke is done again and again."""
        end = time.monotonic() + WAIT
        while not re.search(pattern, self.text()):
            if time.monotonic() > end:
                raise TimeoutError(f"conntrack -E never printed {pattern}:\n{self.text()}")
            poke()
            time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(WAIT)
        lines = self.text().splitlines()
        with open(self.err.name, encoding="utf-8") as f:
            return lines, f.read()


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
        lines, _ = e.stop()
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
                                events_of_a_kind, refusals)}


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
    side.run("-U", "-f", "ipv4", "-p", "udp", "--dport", "53", "-m", "2")
    side.run("-D", "-p", "udp", "--dport", "53")
    side.router.forward("lan", udp(LAN, A, 19999, B, 9))
    listener.until("sport=19999")
    lines, _ = listener.stop()
    for kind in ("[NEW]", "[UPDATE]", "[DESTROY]"):
        ports = [re.search(r"sport=(\d+)", x).group(1) for x in lines if kind in x]
        mine = sorted(p for p in ports if p.startswith("3"))
        if mine != [str(p) for p in range(3000, 3200)]:
            raise Failure(f"{kind}: {len(mine)} of 200")


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
