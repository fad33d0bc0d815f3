#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Large rulesets: stock nft beside itself, to Linux and to the store, in one run.

  nft_scale.py --store NFT_STORE --shim LIBSHUNT_NFT [--scale N] [CASE...]

Each case is loaded and listed by `nft`, then changed a little; wall time of each,
Linux's beside the store's, and what a rule or an element takes of the store's
memory. --scale divides all sizes.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

NFT = "/usr/sbin/nft"


def arguments():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--store", required=True)
    ap.add_argument("--shim", required=True)
    ap.add_argument("--scale", type=int, default=1)
    ap.add_argument("cases", nargs="*")
    return ap.parse_args()


def address(i):
    return f"{10 + (i >> 24)}.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"


def rules(n):
    lines = [f"ip saddr {address(i * 7)} tcp dport {i % 60000 + 1} counter drop" for i in range(n)]
    body = "\n".join(lines)
    return (f"table ip t {{ chain c {{ type filter hook forward priority 0;\n{body}\n}}\n}}\n", n,
            [("insert", "insert rule ip t c ip saddr 1.2.3.4 drop"),
             ("add", "add rule ip t c ip saddr 1.2.3.5 drop")])


def elements(n):
    body = ",".join(address(i) for i in range(n))
    return (f"table ip t {{ set s {{ type ipv4_addr; elements = {{ {body} }} }}\n"
            "chain c { type filter hook forward priority 0;\nip saddr @s drop\n}\n}\n", n,
            [("add", "add element ip t s { 200.1.2.3 }"),
             ("delete", "delete element ip t s { 200.1.2.3 }")])


def intervals(n):
    body = ",".join(f"{address(i * 8)}-{address(i * 8 + 5)}" for i in range(n))
    return (f"table ip t {{ set s {{ type ipv4_addr; flags interval; elements = {{ {body} }} }}\n"
            "chain c { type filter hook forward priority 0;\nip saddr @s drop\n}\n}\n", n,
            [("add", "add element ip t s { 200.1.2.3-200.1.2.7 }")])


def sets(n):
    one = ("set s{0} {{ type ipv4_addr; elements = {{ 10.0.0.1, 10.0.0.2 }} }}")
    body = "\n".join(one.format(i) for i in range(n))
    use = "\n".join(f"ip saddr @s{i} drop" for i in range(n))
    return (f"table ip t {{ {body}\nchain c {{ type filter hook forward priority 0;\n{use}\n}}\n}}\n",
            n, [("add", "add element ip t s7 { 10.9.9.9 }")])


CASES = {"rules": (rules, 100000), "elements": (elements, 1000000),
         "intervals": (intervals, 100000), "sets": (sets, 10000)}


class Side:
    def __init__(self, options=None):
        self.store = None
        self.env = dict(os.environ)
        if options:
            self.folder = tempfile.TemporaryDirectory()
            sock = os.path.join(self.folder.name, "nft.sock")
            self.store = subprocess.Popen([options.store, sock], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, text=True)
            self.store.stdout.readline()
            self.env.update(LD_PRELOAD=options.shim, SHUNT_NFT_SOCKET=sock)
            self.prefix = []
        else:
            # A namespace that lives as long as its keeper.
            self.keeper = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo ready; exec cat"],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.keeper.stdout.readline()
            self.prefix = ["nsenter", "-t", str(self.keeper.pid), "-n"]

    def run(self, *args):
        start = time.monotonic()
        done = subprocess.run([*self.prefix, NFT, *args], env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        took = time.monotonic() - start
        if done.returncode != 0:
            print(f"nft {' '.join(args)[:60]}: {done.stderr[:200].decode()}", file=sys.stderr)
            return None, b""
        return took, done.stdout

    def memory(self):
        with open(f"/proc/{self.store.pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith("VmRSS"):
                    return int(line.split()[1]) * 1024
        return 0

    def close(self):
        keeper = self.store or self.keeper
        keeper.stdin.close()
        keeper.wait()


def show(name, linux, store):
    if linux is None or store is None:
        print(f"{name:24} {'failed':>10}")
        return
    print(f"{name:24} {linux:9.3f}s {store:9.3f}s {store / linux:7.2f}")


def main():
    options = arguments()
    print(f"{'':24} {'Linux':>10} {'shunt':>10} {'ratio':>7}")
    for case in options.cases or CASES:
        make, size = CASES[case]
        text, count, changes = make(size // options.scale)
        sides = Side(), Side(options)
        before = sides[1].memory()
        with tempfile.NamedTemporaryFile("w", suffix=".nft") as f:
            f.write(text)
            f.flush()
            show(f"{case}: load", *(side.run("-f", f.name)[0] for side in sides))
        after = sides[1].memory()
        listed = [side.run("list", "ruleset") for side in sides]
        show(f"{case}: list", listed[0][0], listed[1][0])
        if len(listed[0][1]) != len(listed[1][1]):
            print(f"{case}: the listings differ: {len(listed[0][1])} and {len(listed[1][1])} bytes")
        for what, cmd in changes:
            show(f"{case}: {what}", *(side.run(*cmd.split(" "))[0] for side in sides))
        print(f"{case}: {(after - before) // count} bytes each")
        for side in sides:
            side.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
