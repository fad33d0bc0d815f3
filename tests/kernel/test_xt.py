#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""iptables' extensions, packet by packet: Linux and shuntd with the same rules and packets.

usage: test_xt.py BUILD LIBSHUNT_NFT XT_RULE
Each part is a set of rules, loaded by stock iptables-restore or (what no iptables
sends any more) by XT_RULE, and packets. What comes out and every rule's counters
must be equal; every rule that is to be proved must have matched some packets and
not others. shuntd runs once with each of its engines. Exit status 77: not root, no
iptables-nft, no shuntd.
"""
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

from compare import Comparison
from netlab import enter
from routers import KernelRouter, RulesetRefused, ShuntRouter
from run import drive
from xt_parts import PARTS, REFUSED, TOPO


class Packet:
    """As run.py's drive() takes them."""

    def __init__(self, index, port, frame):
        self.index, self.port, self.frame = index, port, bytes(frame)
        self.delay_ms, self.cmd = 0, None


class Programs:
    """Stock programs on one of the routers."""

    def __init__(self, router, shim, xt_rule):
        self.prefix, self.env, self.xt_rule = enter(router.lab.router), dict(os.environ), xt_rule
        if isinstance(router, ShuntRouter):
            self.env.update(LD_PRELOAD=shim,
                            SHUNT_NFT_SOCKET=os.path.join(router.dir, "nft.sock"))

    def run(self, *args, text=None):
        done = subprocess.run(self.prefix + list(args), input=text, env=self.env, text=True,
                              capture_output=True, timeout=60, check=False)
        if done.returncode:
            raise RulesetRefused(f"{' '.join(args)}: {done.stderr}{done.stdout}")
        return done.stdout

    def load(self, part):
        self.run("nft", "flush", "ruleset")
        for program in ("iptables", "ip6tables"):
            if part.get(program):
                self.run(f"{program}-nft-restore", "-c", text=part[program])
        for rule in part.get("raw", []):
            errno = self.run(self.xt_rule, *rule.split()).strip()
            if errno != "0":
                raise RulesetRefused(f"{rule}: errno {errno}")

    def errnos(self, rules):
        self.run("nft", "flush", "ruleset")
        self.run("iptables-nft-restore", text="*filter\n:FORWARD ACCEPT\n:own -\nCOMMIT\n"
                 "*nat\n:POSTROUTING ACCEPT\nCOMMIT\n*raw\n:PREROUTING ACCEPT\nCOMMIT\n")
        self.run("ip6tables-nft-restore", text="*filter\n:FORWARD ACCEPT\nCOMMIT\n")
        return [(rule, self.run(self.xt_rule, *rule.split()).strip()) for rule in rules]

    def saved(self):
        """What iptables-save prints of both families, but for the lines that say when."""
        lines = []
        for program in ("iptables-nft-save", "ip6tables-nft-save"):
            done = subprocess.run(self.prefix + [program, "-c"], env=self.env, text=True,
                                  capture_output=True, timeout=60, check=False)
            # It does not know all that there was; what it says then is compared, too.
            lines += (done.stdout + done.stderr).splitlines()
        return [line for line in lines if not line.startswith("#")]


def proved(part, run):
    """Rules that all packets matched, or none: they prove nothing."""
    rules = [item["rule"] for item in run.ruleset if "rule" in item]
    counts = [(r["table"], r["handle"], e["counter"]["packets"])
              for r in rules if r["chain"].startswith("PROVE")
              for e in r["expr"] if "counter" in e]
    wrong = [] if counts else [f"{part['name']}: no rule is proved"]
    return wrong + [f"{part['name']}: table {table}, handle {handle} proves nothing: {n} packets"
                    for table, handle, n in counts if n == 0 or n >= len(run.inputs)]


def run_part(part, router, programs, guide):
    programs.load(part)
    packets = [Packet(i, port, frame) for i, (port, frame) in enumerate(part["packets"])]
    compare = Comparison(guide[0].ruleset) if guide else None
    run = drive(router, packets, guide[0] if guide else None, compare)
    saved = programs.saved()
    if not guide:
        return (run, saved), proved(part, run)
    compare.rulesets(guide[0].ruleset, run.ruleset)
    wrong = [f"{part['name']}: {what}" for what in compare.differences]
    if saved != guide[1]:
        wrong.append(f"{part['name']}: counters differ:\n" + "\n".join(
            f"   kernel {a}\n   shunt  {b}" for a, b in zip(guide[1], saved) if a != b))
    if run.missing:
        wrong.append(f"{part['name']}: conservation: {run.missing}")
    return (run, saved), wrong


def run_all(shim, xt_rule, router, guides, refused):
    """Every part on one router. What each said, and what is wrong."""
    said, wrong = {}, []
    with contextlib.ExitStack() as stack:
        stack.enter_context(router)
        if not guides:
            # The flow label of what Linux itself sends is a hash of its own.
            router.lab.sysctl(router.lab.router, {"net/ipv6/auto_flowlabels": 0})
        programs = Programs(router, shim, xt_rule)
        said["errnos"] = programs.errnos(refused)
        for part in PARTS:
            guide = guides[part["name"]] if guides else None
            said[part["name"]], differ = run_part(part, router, programs, guide)
            wrong += differ
    if guides:
        wrong += [f"errno of {a[0]}: kernel {a[1]}, shunt {b[1]}"
                  for a, b in zip(guides["errnos"], said["errnos"]) if a != b]
    return said, wrong


def main():
    build, shim, xt_rule = (os.path.abspath(a) for a in sys.argv[1:4])
    if os.geteuid() != 0 or shutil.which("iptables-nft") is None or \
            not ShuntRouter.built(build):
        print("needs root, iptables-nft and shuntd")
        return 77
    guides, wrong = run_all(shim, xt_rule, KernelRouter(TOPO), None, REFUSED)
    print(f"kernel: {len(PARTS)} parts, {len(wrong)} wrong")
    for engine in ("compiled", "reference"):
        _, differ = run_all(shim, xt_rule, ShuntRouter(TOPO, build, engine=engine), guides,
                            REFUSED)
        print(f"{engine}: {len(differ)} differ")
        wrong += [f"{engine}: {what}" for what in differ]
    for what in wrong:
        print(what)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
