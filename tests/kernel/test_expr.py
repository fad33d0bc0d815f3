#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Expressions, packet by packet: Linux and shuntd with the same rules and packets.

usage: test_expr.py BUILD [PART...]
Each part (expr_parts.py) is a ruleset and packets. What comes out and every counter
must be equal, and each rule that has one must have matched some packets and not
others. shuntd runs once with each of its engines.
Exit status 77: not root, no shuntd.
"""
import contextlib
import os
import sys
import tempfile

from compare import Comparison
from expr_parts import PARTS, TOPO
from routers import KernelRouter, ShuntRouter
from run import drive
from test_xt import Packet


def counters(ruleset):
    """Every counter of a listing: which rule, its comment, packets and bytes."""
    return [(r["table"], r["chain"], r["handle"], r.get("comment"), e["counter"]["packets"],
             e["counter"]["bytes"])
            for r in (item["rule"] for item in ruleset if "rule" in item)
            for e in r["expr"] if isinstance(e, dict) and "counter" in e]


def proved(part, run):
    """Rules that prove nothing: all packets matched, or none."""
    wrong = []
    for table, _, handle, comment, n, _ in counters(run.ruleset):
        right = {"all": n > 0, "none": n == 0}.get(comment, 0 < n < len(run.inputs))
        if not right:
            wrong.append(f"{table}, handle {handle}, proves nothing: {n} packets")
    return wrong if counters(run.ruleset) else wrong + ["no rule is proved"]


def run_part(part, router, guide):
    with tempfile.NamedTemporaryFile("w", suffix=".nft", encoding="utf-8") as f:
        f.write("flush ruleset\n" + part["rules"])
        f.flush()
        router.load(f.name)
    packets = [Packet(i, port, frame) for i, (port, frame) in enumerate(part["packets"])]
    compare = Comparison(guide.ruleset) if guide else None
    run = drive(router, packets, guide, compare)
    if not guide:
        return run, proved(part, run)
    compare.rulesets(guide.ruleset, run.ruleset)
    wrong = list(compare.differences)
    wrong += [f"counter: kernel {a}, shunt {b}"
              for a, b in zip(counters(guide.ruleset), counters(run.ruleset)) if a != b]
    if run.missing:
        wrong.append(f"conservation: {run.missing}")
    return run, wrong


def run_all(router, parts, guides):
    """Every part on one router. What each did, and what is wrong."""
    said, wrong = {}, []
    with contextlib.ExitStack() as stack:
        stack.enter_context(router)
        if not guides:
            # The flow label of what Linux itself sends is a hash of its own.
            router.lab.sysctl(router.lab.router, {"net/ipv6/auto_flowlabels": 0})
        for part in parts:
            said[part["name"]], differ = run_part(part, router, guides.get(part["name"]))
            wrong += [f"{part['name']}: {what}" for what in differ]
    return said, wrong


def main():
    build, names = os.path.abspath(sys.argv[1]), sys.argv[2:]
    if os.geteuid() != 0 or not ShuntRouter.built(build):
        print("needs root and shuntd")
        return 77
    parts = [p for p in PARTS if not names or p["name"] in names]
    guides, wrong = run_all(KernelRouter(TOPO), parts, {})
    print(f"kernel: {len(parts)} parts, {len(wrong)} wrong")
    for engine in ("compiled", "reference"):
        _, differ = run_all(ShuntRouter(TOPO, build, engine=engine), parts, guides)
        print(f"{engine}: {len(differ)} differ")
        wrong += [f"{engine}: {what}" for what in differ]
    for what in wrong:
        print(what)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
