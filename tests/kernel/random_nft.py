#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random nft commands, valid and not, to Linux and to the store: what comes back and
what `nft -a list ruleset` says afterwards must be the same.

  random_nft.py NFT_STORE LIBSHUNT_NFT [--commands N] [--seconds N] [--seed N] [-v]

Names come from small pools, so that commands meet: what exists, what does not, what
is in use. The first difference is made small and printed with its seed. At the end
a table tells which commands on which objects were seen with which outcome.
"""
import argparse
import collections
import random
import re
import sys
import time

import nft_side
from nft_grammar import Grammar

DRY = 1 << 30  # not a flag of nft's: check only


def arguments():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("store")
    ap.add_argument("shim")
    ap.add_argument("--commands", type=int, default=3000)
    ap.add_argument("--seconds", type=int, default=120)
    ap.add_argument("--seed", type=int, default=None)
    ap.add_argument("-v", "--verbose", action="store_true")
    return ap.parse_args()


def masked(text):
    """Lives pass by themselves, and who asks has another name on each side."""
    text = re.sub(r"expires [0-9smhd]+", "expires X", text)
    text = re.sub(r"by process [0-9]+", "by process X", text)
    return re.sub(r'"expires": [0-9]+', '"expires": X', text)


def outcome(answer):
    if answer["rc"] == 0:
        return "ok"
    found = re.search(r"Error: (?:Could not process rule: )?([A-Z][^\n;]*)", answer["err"])
    return re.sub(r"[\"'`‘’].*", "", found.group(1)).strip()[:44] if found else "error"


class Pair:
    """Both sides, fresh."""

    def __init__(self, options):
        self.linux = nft_side.Side()
        self.store = nft_side.Side(options.store, options.shim, ("--all",))

    def step(self, command, flags):
        """What differs, or None; and Linux's answer."""
        want, got = (side.run(command, flags & ~DRY, bool(flags & DRY))
                     for side in (self.linux, self.store))
        for key in ("rc", "err", "out"):
            if masked(str(want[key])) != masked(str(got[key])):
                return (key, str(want[key]), str(got[key])), want
        listed = [masked(side.run("list ruleset", nft_side.HANDLE)["out"])
                  for side in (self.linux, self.store)]
        return (("listing", *listed) if listed[0] != listed[1] else None), want

    def close(self):
        self.linux.close()
        self.store.close()


def replay(options, commands):
    """The first difference of a sequence, and after how many commands."""
    pair = Pair(options)
    try:
        for n, (command, flags) in enumerate(commands, 1):
            differs, _ = pair.step(command, flags)
            if differs:
                return differs, n
        return None, 0
    finally:
        pair.close()


def smaller(options, commands):
    """As few of the commands as still differ (delta debugging)."""
    size = max(len(commands) // 2, 1)
    end = time.monotonic() + 90
    while size >= 1 and time.monotonic() < end:
        at = 0
        while at < len(commands) - 1 and time.monotonic() < end:
            attempt = commands[:at] + commands[at + size:]
            differs, n = replay(options, attempt) if attempt else (None, 0)
            if differs:
                commands = attempt[:n]
            else:
                at += size
        size //= 2
    return commands


def print_coverage(seen):
    print(f"{'':28} outcomes")
    rows = collections.defaultdict(list)
    for (what, how), count in seen.items():
        rows[what].append((count, how))
    for what in sorted(rows):
        text = ", ".join(f"{how} {count}" for count, how in sorted(rows[what], reverse=True))
        print(f"{what:28} {text}")


def main():
    options = arguments()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    grammar = Grammar(random.Random(seed))
    pair, commands, seen = Pair(options), [], collections.Counter()
    end = time.monotonic() + options.seconds
    while len(commands) < options.commands and time.monotonic() < end:
        what, command, flags = grammar.command()
        commands.append((command, flags))
        if options.verbose:
            print(f"{flags:x} {command}")
        differs, want = pair.step(command, flags)
        seen[what, outcome(want)] += 1
        if not differs:
            continue
        pair.close()
        print(f"after {len(commands)} commands; making it smaller", flush=True)
        few = smaller(options, commands)
        differs, _ = replay(options, few)
        for command, flags in few:
            print(f"  {'check: ' if flags & DRY else ''}{command!r}")
        key, want, got = differs if differs else ("nothing any more", "", "")
        print(f"differs in {key}\nLinux:\n{want}\nstore:\n{got}\nseed {seed}")
        return 1
    pair.close()
    print_coverage(seen)
    print(f"{len(commands)} commands, no difference, seed {seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
