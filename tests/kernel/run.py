#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same ruleset and packets through Linux and through shunt, compared byte for byte.

usage: run.py list                    the names of the cases
       run.py replay NAME             Linux, against the record of the case
       run.py self NAME               Linux twice, by the rules of live
       run.py live NAME [options]     Linux and shuntd, in one run
Exit status: 0 equal, 1 different, 77 skipped (no cases, not root, no shuntd).
"""
import argparse
import collections
import ipaddress
import os
import select
import signal
import sys
import tempfile
import time

import cases
from compare import Comparison, router_made
from frame import TCP, UDP, endpoints, frame_ip, is_icmp_error
from netlab import sh
from routers import KernelRouter, RulesetRefused, ShuntRouter

SKIP = 77
SHOWN = 8           # differences printed in full
PASSES = 6          # runs of the kernel until no packet has to be left out any more
# Cases whose packets answer random numbers of the recorded run, and which.
NO_LIVE = {
    "06-nft-sample-ruleset": "its limits by the second let pass what the pace of a run says",
    "08-pve-home-router-flowtable": "it redirects to the router's own stack, which is not there yet",
}
NO_REPLAY = {"11-wiki-synproxy-anon": "the sequence numbers of synproxy are not mapped yet"}


class Run:
    """What one router did: the frames it was sent, its outputs for each, its final state."""

    def __init__(self):
        self.inputs, self.outputs, self.tail = [], [], []
        self.ruleset, self.connections, self.missing = [], None, None
        self.seconds = 0.0


def drive(router, packets, guide=None, compare=None):
    """Send the packets one at a time. `guide` is the Run to compare with, `compare` how."""
    run = Run()
    began = time.monotonic()
    for k, p in enumerate(packets):
        if p.delay_ms:
            select.poll().poll(p.delay_ms)
        if p.cmd:
            router.command(p.cmd)
        if not p.frame:
            run.inputs.append(b"")
            run.outputs.append([])
            continue
        came = guide.inputs[k] if guide else p.frame
        frame = compare.ports.translate(came) if compare else came
        want = len(guide.outputs[k]) if guide else 0
        out = router.forward(p.port, frame, want)
        run.inputs.append(frame)
        run.outputs.append(out)
        if compare:
            compare.packet(p.index, came, guide.outputs[k], out,
                           getattr(router, "carried", False))
    run.tail = router.tail()
    run.seconds = time.monotonic() - began
    run.ruleset = router.ruleset()
    run.connections = router.connections()
    run.missing = router.conservation()
    return run


def load(router, text):
    """Load a ruleset given as text."""
    with tempfile.NamedTemporaryFile("w", suffix=".nft", encoding="utf-8") as f:
        f.write(text)
        f.flush()
        router.load(f.name)


def recorded(case):
    """The record of a case as a Run."""
    record = case.record()
    if not record:
        return None
    run = Run()
    run.inputs = [p.frame for p in case.packets]
    run.outputs, final = record
    run.ruleset, run.connections = final.get("ruleset", []), final.get("conntrack")
    run.tail = final.get("tail", [])
    return run


def pick(run, packets):
    """A Run of these of a case's packets only, by their index."""
    part = Run()
    part.inputs = [run.inputs[p.index] for p in packets]
    part.outputs = [run.outputs[p.index] for p in packets]
    part.ruleset = run.ruleset
    return part


def is_fragment(frame):
    ip = frame_ip(frame)
    return bool(ip and ip.fragment)


def forwarded(inp, out_port, in_port, frame):
    """Is an output the input itself, sent on to another port?"""
    came, left = frame_ip(inp), frame_ip(frame)
    return (out_port != in_port and came and left and came.proto == left.proto
            and came.ident == left.ident and left.ttl == came.ttl - 1)


def for_router(frame, addresses):
    ip = frame_ip(frame)
    return bool(ip and ip.dst in addresses)


def not_forwarded(case, packets, run):
    """The packets to a router address that were not forwarded to another port."""
    own = {ipaddress.ip_interface(a).ip.packed for p in case.topo["ports"] for a in p["addrs"]}
    return {p.index for p, frame, out in zip(packets, run.inputs, run.outputs)
            if for_router(frame, own)
            and not any(forwarded(frame, port, p.port, f) for port, f in out)}


def kernel_reference(case):
    """Linux's answers to the packets that are compared, and how many were left out why."""
    left = collections.Counter()
    packets = [p for p in case.packets if not is_fragment(p.frame)]
    left["fragment"] = len(case.packets) - len(packets)
    guide = recorded(case)
    for _ in range(PASSES):
        with KernelRouter(case.topo) as kernel:
            load(kernel, case.text())
            part = pick(guide, packets) if guide else None
            run = drive(kernel, packets, part, Comparison(guide.ruleset) if guide else None)
        own = not_forwarded(case, packets, run)
        if not own:
            return packets, run, left
        left["router-address"] += len(own)
        packets = [p for p in packets if p.index not in own]
    raise RuntimeError("the packets to leave out do not settle")


def coverage(run):
    """What the packets of a run exercised, by the outputs."""
    seen = collections.Counter()
    for inp, out in zip(run.inputs, run.outputs):
        ip = frame_ip(inp)
        kind = {TCP: "tcp", UDP: "udp"}.get(ip.proto if ip else None, "icmp/other")
        seen["in " + kind] += 1
        if ip and is_icmp_error(inp, ip):
            seen["in icmp error"] += 1
        if not out:
            seen["out nothing"] += 1
        for _port, frame in out:
            gone = frame_ip(frame)
            if router_made(frame, inp):
                seen["out icmp made"] += 1
            elif gone and ip and gone.ident == ip.ident and gone.ttl == ip.ttl - 1:
                seen["out forwarded"] += 1
                if [(e.addr, e.port) for e in endpoints(frame)] != \
                        [(e.addr, e.port) for e in endpoints(inp)]:
                    seen["out translated"] += 1
            else:
                seen["out other made"] += 1
    counters = hit = 0
    for item in run.ruleset:
        for statement in item.get("rule", {}).get("expr", []):
            if not isinstance(statement, dict):
                continue
            if "packets" in (statement.get("counter") or ()):
                counters += 1
                hit += statement["counter"]["packets"] > 0
    seen["rule counters"], seen["rule counters hit"] = counters, hit
    return seen


def report(name, run, compare, left=None):
    """Print a comparison; the exit status."""
    seen = coverage(run)
    print(f"{name}: {len(run.inputs)} packets, {len(run.inputs) / max(run.seconds, 1e-9):.0f}/s")
    print("  coverage: " + ", ".join(f"{k} {v}" for k, v in sorted(seen.items())))
    if left is not None:
        print("  left out: " + (", ".join(f"{k} {v}" for k, v in sorted(left.items())) or "none"))
    print("  forgiven: " + (", ".join(f"{k} {v}" for k, v in sorted(compare.forgiven.items()))
                            or "nothing"))
    if run.missing is not None:
        print(f"  conservation: {run.missing} packets unaccounted for")
        if run.missing:
            compare.differences.append(f"conservation: {run.missing}")
    if not any(run.outputs):
        compare.differences.append("nothing came out: nothing was compared")
    for what in compare.differences[:SHOWN]:
        print("  DIFFERS " + what)
    print(f"  {len(compare.differences)} differences")
    return 1 if compare.differences else 0


def replay(case):
    """The kernel back end must reproduce what the record says Linux did."""
    guide = recorded(case)
    if not guide or case.name in NO_REPLAY:
        print(f"{case.name}: {NO_REPLAY.get(case.name, 'no record')}")
        return SKIP
    compare = Comparison(guide.ruleset)
    with KernelRouter(case.topo) as kernel:
        load(kernel, case.text())
        run = drive(kernel, case.packets, guide, compare)
    if run.tail:
        compare.differences.append(f"{len(run.tail)} frames after the last packet")
    compare.rulesets(guide.ruleset, run.ruleset)
    compare.connections(guide.connections or [], run.connections)
    return report(f"replay {case.name}", run, compare)


def itself(case):
    """Linux against Linux as if one were shuntd: what the comparison has to forgive, at least."""
    packets, guide, left = kernel_reference(case)
    compare = Comparison(guide.ruleset)
    with KernelRouter(case.topo) as kernel:
        load(kernel, case.text())
        run = drive(kernel, packets, guide, compare)
    compare.rulesets(guide.ruleset, run.ruleset)
    compare.connections(guide.connections, run.connections)
    return report(f"self {case.name}", run, compare, left)


def live(case, args):
    """Linux and shuntd, one after the other, the same packets."""
    build = os.path.abspath(args.build)
    if case.name in NO_LIVE:
        print(f"{case.name}: {NO_LIVE[case.name]}")
        return SKIP
    if not ShuntRouter.built(build):
        print(f"{case.name}: shuntd is not built in {build}")
        return SKIP
    packets, guide, left = kernel_reference(case)
    compare = Comparison(guide.ruleset)
    options = {"offload": args.offload, "workers": args.workers, "engine": args.engine,
               "eal": args.eal, "nicmodel": args.nicmodel}
    if args.device:
        options["device"] = args.device
    with ShuntRouter(case.topo, build, **options) as shunt:
        try:
            load(shunt, case.text(args.flowtable))
        except RulesetRefused as e:
            print(f"{case.name}: shuntd refuses the ruleset:\n{e}")
            return SKIP if args.may_refuse else 1
        run = drive(shunt, packets, guide, compare)
        if args.nicmodel:
            carried = shunt.nic()["hw_forwarded"]
            print(f"  the NIC carried {carried} packets")
            if not carried:
                compare.differences.append("no flow reached the NIC")
        if compare.differences:
            print(shunt.log(), file=sys.stderr)
    if run.tail:
        compare.differences.append(f"{len(run.tail)} frames after the last packet")
    compare.rulesets(guide.ruleset, run.ruleset, args.flowtable)
    return report(f"live {case.name}", run, compare, left)


def arguments():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sub = ap.add_subparsers(dest="mode", required=True)
    sub.add_parser("list")
    sub.add_parser("replay").add_argument("name")
    sub.add_parser("self").add_argument("name")
    p = sub.add_parser("live")
    p.add_argument("name")
    p.add_argument("--build", default=os.path.join(cases.TOP, "build"))
    p.add_argument("--flowtable", action="store_true",
                   help="restore the ruleset's #FLOWTABLE lines for shuntd")
    p.add_argument("--offload", default="off", help="offload.mode (default off)")
    p.add_argument("--engine", help="runtime.engine: compiled or reference")
    p.add_argument("--device", help="device string of a port; {n} its number, {name} its name")
    p.add_argument("--nicmodel", metavar="PLUGIN", help="ports of the modelled NIC, by its driver")
    p.add_argument("--eal", action="append", default=[], help="a further EAL argument")
    p.add_argument("--workers", default="0", type=lambda s: [int(c) for c in s.split(",")],
                   help="CPU ids of the workers (default 0)")
    p.add_argument("--may-refuse", action="store_true",
                   help="a ruleset that shuntd refuses is skipped, not failed")
    return ap.parse_args()


def main():
    args = arguments()
    # A test that takes too long is terminated, and still removes its namespaces.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    known = cases.names()
    if args.mode == "list":
        print("\n".join(known))
        return 0
    if args.name not in known:
        print(f"{args.name}: no such case here (SHUNT_CASES)")
        return SKIP
    if os.geteuid() != 0:
        print("needs root: it makes network namespaces")
        return SKIP
    sh("nft", "--version")
    case = cases.Case(args.name)
    if args.mode == "live":
        return live(case, args)
    return replay(case) if args.mode == "replay" else itself(case)


if __name__ == "__main__":
    sys.exit(main())
