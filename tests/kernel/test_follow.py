#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`follow: kernel`: the kernel's ruleset, changed by stock nft, and shuntd's copy of it.

usage: test_follow.py [--build BUILD] [--seed N] [--commands N]
After each command both list the same, handles too; counters are each one's own. Then:
packets are judged by the copy; a ruleset that shuntd cannot hold is said, and the last
good one stays; events are lost, and it is copied whole, also in a storm of them; other
clients may not write; and random commands. Exit status: 0 equal, 1 different, 77 skipped (not root, no shuntd).
"""
import argparse
import difflib
import os
import random
import re
import subprocess
import sys
import time

from netlab import enter
from nft_grammar import Grammar
from packets import udp
from routers import LATE, ShuntRouter
from test_trace import A, B, LAN, TOPO

COMMANDS = [
    "add table inet f",
    "add chain inet f fw { type filter hook forward priority 0; policy drop; }",
    "add rule inet f fw ct state established,related accept",
    "add rule inet f fw udp dport 53 counter accept comment \"names\"",
    "insert rule inet f fw ip saddr 10.0.1.66 drop",
    "add rule inet f fw position 3 tcp dport { 22, 80-90 } accept",
    "add set inet f s { type ipv4_addr; flags interval; elements = { 10.0.0.0/24, 10.1.0.1 }; }",
    "add element inet f s { 10.2.0.0-10.2.0.9 }",
    "delete element inet f s { 10.1.0.1 }",
    "add rule inet f fw ip saddr @s drop",
    "add chain inet f other",
    "add rule inet f other udp dport 54 counter accept",
    "add map inet f m { type inet_service : verdict; elements = { 54 : jump other, 55 : drop }; }",
    "add rule inet f fw udp dport vmap @m",
    "add rule inet f fw udp dport 56 jump { ip daddr 10.0.2.5 accept; counter drop; }",
    "add counter inet f c { packets 5 bytes 50; }",
    "add quota inet f q { over 5 mbytes; }",
    "add map inet f o { type ipv4_addr : counter; elements = { 10.0.1.5 : \"c\" }; }",
    "add rule inet f fw counter name ip saddr map @o",
    "add set inet f t { type ipv4_addr . inet_service; flags timeout; timeout 1h; comment \"lives\"; }",
    "add element inet f t { 10.0.1.5 . 80 timeout 30m comment \"x\", 10.0.1.6 . 81 }",
    "add set inet f d { type ipv4_addr; flags dynamic; size 9; }",
    "add rule inet f fw udp dport 57 update @d { ip saddr limit rate 5/second } accept",
    "rename chain inet f other another",
    "replace rule inet f fw handle 3 ip daddr 10.0.2.7 drop",
    "delete rule inet f fw handle 6",
    "add chain inet f fw { policy accept; }",
    "add table ip n { chain p { type nat hook postrouting priority 100; oifname \"wan\" masquerade; }; }",
    "add table netdev d { chain in { type filter hook ingress device \"lan\" priority 0; udp dport 58 drop; }; }",
    "add table ip n { flags dormant; }", "add table ip n",
    "add table ip6 x; add chain ip6 x y; add rule ip6 x y drop; delete table ip6 x",
    "flush chain inet f another",
    "flush set inet f t",
    "delete table ip n",
    "flush ruleset",
    "add table ip o { chain c { type filter hook forward priority 0; udp dport 59 counter drop; }; }",
]


class Differs(Exception):
    pass


class Follower(ShuntRouter):
    """shuntd in a namespace whose kernel has the ruleset."""

    def config(self):
        config = super().config()
        del config["ruleset"]
        return {**config, "follow": "kernel"}

    def kernel(self, *argv, ok=True):
        r = subprocess.run([*enter(self.lab.router), "nft", *argv], capture_output=True, text=True,
                           check=False)
        if ok and r.returncode:
            raise RuntimeError(f"{argv}: {r.stderr}")
        return r

    def status(self):
        return self.control.call("show.follow")


def masked(text):
    """Counters are each side's own, and lives pass."""
    text = re.sub(r"counter packets \d+ bytes \d+", "counter", text)
    text = re.sub(r"packets \d+ bytes \d+", "packets", text)
    text = re.sub(r" used \d+ [a-z]+", "", text)
    return re.sub(r"expires [0-9a-z]+", "expires", text)


def lists(shunt):
    return (masked(shunt.kernel("-a", "list", "ruleset").stdout),
            masked(shunt._ctl("nft", "-a", "list", "ruleset").stdout))


def equal(shunt, what):
    """What both say once the copy is in force; LATE is long."""
    end = time.monotonic() + LATE
    while True:
        one, two = lists(shunt)
        if one == two and shunt.status()["synced"]:
            return
        if time.monotonic() > end:
            diff = difflib.unified_diff(one.splitlines(), two.splitlines(), "kernel", "shuntd",
                                        lineterm="", n=2)
            raise Differs("\n".join([what + ":", *diff, str(shunt.status())]))


def until(shunt, what, condition):
    end = time.monotonic() + LATE
    while not condition(shunt.status()):
        if time.monotonic() > end:
            raise Differs(f"{what}: {shunt.status()}")


def commands(shunt):
    for command in COMMANDS:
        shunt.kernel(command)
        equal(shunt, command)
    status = shunt.status()
    # Most transactions came as such; what an event does not tell was copied whole.
    if status["transactions"] < len(COMMANDS) // 2 or status["lost"]:
        raise Differs(f"not followed by events: {status}")
    return f"{len(COMMANDS)} commands, {status['transactions']} by events, {status['copies']} copies"


def packets(shunt):
    """The last of the commands' rulesets drops port 59."""
    for port, passes in ((59, False), (60, True)):
        if bool(shunt.forward("lan", udp(LAN, A, 7001, B, port), int(passes))) != passes:
            raise Differs(f"port {port}: {'dropped' if passes else 'passed'}")
    shunt.kernel("flush", "ruleset")
    equal(shunt, "flush ruleset")
    if not shunt.forward("lan", udp(LAN, A, 7001, B, 59), 1):
        raise Differs("a rule that is gone drops")
    return "3 packets"


def refused(shunt):
    """What cannot be held is named; the last good copy stays until it can be."""
    shunt.kernel("add table ip k; add chain ip k c { type filter hook forward priority 0; }; "
                 "add rule ip k c udp dport 61 drop")
    equal(shunt, "good")
    shunt.kernel("add rule ip k c meta skuid 5 drop")
    until(shunt, "refused", lambda s: not s["synced"])
    why = shunt.status()["why"]
    if not why.startswith("rule ip k c, handle 3: "):
        raise Differs(why)
    if shunt.forward("lan", udp(LAN, A, 7002, B, 61)):
        raise Differs("the last good copy is not in force")
    shunt.kernel("delete rule ip k c handle 3")
    equal(shunt, "good again")
    return why


def lost(shunt):
    """More than the socket holds at once, again and again: ENOBUFS, and a whole copy."""
    before = shunt.status()
    body = ",".join(f"10.{i >> 8 & 255}.{i & 255}.{j}" for i in range(2000) for j in range(10))
    os.kill(shunt.process.pid, 19)      # SIGSTOP: nobody reads
    try:
        shunt.kernel("add set ip k s { type ipv4_addr; }")
        for _ in range(12):
            subprocess.run([*enter(shunt.lab.router), "nft", "-f", "-"], check=True, text=True,
                           input=f"add element ip k s {{ {body} }}\nflush set ip k s\n"
                                 f"add element ip k s {{ {body} }}\n")
    finally:
        os.kill(shunt.process.pid, 18)  # SIGCONT
    equal(shunt, "20,000 elements")
    after = shunt.status()
    if after["lost"] == before["lost"] or after["copies"] == before["copies"]:
        raise Differs(f"nothing was lost: {after}")
    shunt.kernel("flush ruleset")
    equal(shunt, "flush ruleset")
    return f"lost {after['lost']} times, {after['copies'] - before['copies']} copies"


def storm(shunt):
    """The same while shuntd reads: of a transaction the first events get lost, or the last."""
    before = shunt.status()
    body = ",".join(f"10.{i >> 8 & 255}.{i & 255}.{j}" for i in range(3000) for j in range(10))
    shunt.kernel("add table ip k; add set ip k s { type ipv4_addr; }")
    for i in range(12):
        text = f"add element ip k s {{ {body} }}\n" if i % 2 == 0 else "flush set ip k s\n"
        subprocess.run([*enter(shunt.lab.router), "nft", "-f", "-"], check=True, text=True,
                       input=f"{text}add element ip k s {{ 11.0.0.{i} }}\n")
        if i % 4 == 3:
            equal(shunt, f"storm {i}")
    after = shunt.status()
    if after["lost"] == before["lost"]:
        raise Differs(f"nothing was lost: {after}")
    shunt.kernel("flush ruleset")
    equal(shunt, "flush ruleset")
    return f"lost {after['lost'] - before['lost']} times, {after['copies'] - before['copies']} copies"


def writers(shunt):
    r = shunt._ctl("nft", "add", "table", "ip", "mine")
    if r.returncode == 0 or "Operation not permitted" not in r.stderr:
        raise Differs(f"a client may write: {r.stderr}")
    equal(shunt, "after a client wrote")
    return r.stderr.splitlines()[0]


def randomly(shunt, seed, count):
    rng = random.Random(seed)
    grammar = Grammar(rng)
    done = 0
    for _ in range(count):
        _what, text, _flags = grammar.command()
        done += shunt.kernel(text, ok=False).returncode == 0
        if rng.randrange(10) == 0 and (shunt.status()["synced"] or
                                       not re.search("reject|skuid", shunt.kernel(
                                           "list", "ruleset").stdout)):
            equal(shunt, text)
    if not shunt.status()["synced"] and "ingress" in shunt.kernel("list", "ruleset").stdout:
        shunt.kernel("flush", "ruleset")
    equal(shunt, f"seed {seed}")
    return f"seed {seed}, {done} of {count} commands taken by the kernel, {shunt.status()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--commands", type=int, default=150)
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    if os.geteuid() != 0 or not ShuntRouter.built(build):
        print("skipped: needs root and a built shuntd")
        return 77
    with Follower(TOPO, build, offload="software") as shunt:
        for job in (commands, packets, refused, lost, storm, writers,
                    lambda s: randomly(s, args.seed, args.commands)):
            try:
                print(f"{getattr(job, '__name__', '')}: {job(shunt)}", flush=True)
            except Differs as e:
                print(f"DIFFERENT: {e}\n{shunt.log()[-2000:]}")
                return 1
        if shunt.conservation():
            print(f"{shunt.conservation()} packets are unaccounted for")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
