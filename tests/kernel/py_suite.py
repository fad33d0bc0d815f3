#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""nftables' own tests/py against the store and Linux, both live, with libnftables.

  py_suite.py --suite DIR --store NFT_STORE --shim LIBSHUNT_NFT [--strict] [-v] [FILE...]

DIR is tests/py of a nftables source tree. Each line of its *.t files, rules,
sets, elements, objects, for each of its tables and chains, is given to both:
status, messages and what `list table` says afterwards must be the same. What is
refused by Linux must be refused, with the same message. The store takes
expressions that the dataplane cannot evaluate yet, unless --strict says no:
then they are counted.
"""
import argparse
import collections
import os
import re
import sys

from nft_side import Side


# What a kernel may lack as a module; it says then that there is no such expression.
ABSENT = re.compile(r" queue\b| osf |meta [io]brname|meta ibr|^add rule bridge .* reject")


def arguments():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--suite", required=True)
    ap.add_argument("--store", required=True)
    ap.add_argument("--shim", required=True)
    ap.add_argument("--strict", action="store_true")
    ap.add_argument("-v", "--verbose", action="store_true")
    ap.add_argument("files", nargs="*")
    return ap.parse_args()


def all_files(suite):
    return sorted(os.path.relpath(os.path.join(folder, name), suite)
                  for folder, _, names in os.walk(suite) for name in names
                  if name.endswith(".t"))


def set_command(table, text):
    """`NAME type A . B timeout T flags F` as the command that makes it."""
    tokens = text.split(" ")
    name, rest, parts = tokens[0], tokens[1:], []
    at = len(rest)
    for word in ("flags", "timeout"):
        if word in rest[:at]:
            parts.insert(0, " ".join(rest[rest.index(word):at]))
            at = rest.index(word)
    parts.insert(0, " ".join(rest[:at]))
    return f"add set {table} {name} {{ {'; '.join(parts)}; }}"


def object_command(table, text):
    tokens = text.split(" ")
    name, kind, rest = tokens[0], tokens[2], tokens[3:]
    if kind == "ct":
        kind, rest = f"ct {rest[0]}", rest[1:]
    return f"add {kind} {table} {name} {' '.join(rest)}"


class Suite:
    def __init__(self, options):
        args = () if options.strict else ("--all",)
        self.options = options
        self.linux = Side()
        self.store = Side(options.store, options.shim, args)
        self.counts = collections.Counter()
        self.failed = collections.Counter()
        self.tables = []

    def both(self, cmd, where, table=None, kind="rule"):
        """True if Linux took it."""
        want = self.linux.run(cmd)
        got = self.store.run(cmd)
        self.counts[kind, "taken" if want["rc"] == 0 else "refused"] += 1
        if want["rc"] != 0 and got["rc"] == 0 and ABSENT.search(cmd):
            self.counts[kind, "absent"] += 1
            return False
        if (want["rc"], want["err"]) != (got["rc"], got["err"]):
            self.differ(where, cmd, f"{want['rc']}: {want['err']}", f"{got['rc']}: {got['err']}")
            # Both on the same footing for what follows.
            return want["rc"] == 0
        if table is not None and want["rc"] == 0:
            want = self.listing(self.linux, table)
            got = self.listing(self.store, table)
            if want != got:
                self.differ(where, cmd, want, got)
        return want if isinstance(want, str) else want["rc"] == 0

    @staticmethod
    def listing(side, table):
        """What passes by itself is not compared."""
        return re.sub(r"expires [0-9smhd]+", "expires X", side.run(f"list table {table}")["out"])

    def differ(self, where, cmd, want, got):
        self.counts["differ", ""] += 1
        self.failed[where.split(":")[0]] += 1
        print(f"{where}: {cmd}")
        if self.options.verbose:
            print(f"  Linux: {want.strip()}\n  store: {got.strip()}")

    def file(self, name):
        self.tables, chains, made = [], {}, []
        with open(os.path.join(self.options.suite, name), encoding="utf-8") as f:
            lines = list(enumerate(f, 1))
        for number, line in lines:
            line = line.rstrip("\n")
            where = f"{name}:{number}"
            if not line.strip() or line[0] in "#-":
                continue
            if line[0] == ":":
                chain, config = line[1:].split(";", 1)
                chains[chain] = config.rstrip(";")
            elif line[0] == "*":
                family, table, names = line[1:].strip().split(";")
                table = f"{family} {table}"
                self.tables.append((table, names.split(",")))
                self.both(f"add table {table}", where, None, "table")
                for chain in names.split(","):
                    config = chains[chain]
                    self.both(f"add chain {table} {chain} {{ {config}; }}", where, table, "chain")
            elif line[0] == "!":
                for table, _ in self.tables:
                    self.both(set_command(table, line[1:].split(";")[0]), where, table, "set")
            elif line[0] == "?":
                name_, elements = line[1:].split(";")[0].split(" ", 1)
                for table, _ in self.tables:
                    self.both(f"add element {table} {name_} {{ {elements} }}", where, None,
                              "element")
            elif line[0] == "%":
                brace = line.rfind("}")
                text = line[1:brace + 1] if brace > 0 else line[1:].split(";")[0]
                for table, _ in self.tables:
                    self.both(object_command(table, text), where, table, "object")
            else:
                self.rule(where, line)
        for table, _ in self.tables:
            made.append(table)
        for side in (self.linux, self.store):
            side.run("flush ruleset")

    def rule(self, where, line):
        text = line.split(";")[0]
        for table, chains in self.tables:
            for chain in chains:
                self.both(f"add rule {table} {chain} {text}", where, table)
                for side in (self.linux, self.store):
                    side.run(f"flush chain {table} {chain}")

    def close(self):
        self.linux.close()
        self.store.close()


def main():
    options = arguments()
    suite = Suite(options)
    for name in options.files or all_files(options.suite):
        suite.file(name)
    suite.close()
    for (kind, what), count in sorted(suite.counts.items()):
        print(f"{kind:8} {what:8} {count}")
    for name, count in suite.failed.most_common():
        print(f"  {count:5} {name}")
    return 1 if suite.failed else 0


if __name__ == "__main__":
    sys.exit(main())
