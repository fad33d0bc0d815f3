#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of flags owner, beside the kernel: whose they are, and that they die with it.

usage: test_owner.py NFT_STORE LIBSHUNT_NFT
"""
import os
import re
import subprocess
import sys
import time

from nft_side import Side

PATIENCE = 10


class Owner:
    """An interactive nft that stays."""

    def __init__(self, side):
        self.process = subprocess.Popen(
            [*side.prefix, "nft", "-i"], env=side.env, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def kill(self):
        self.process.kill()
        self.process.wait()


def listing(side):
    out = side.run("list ruleset")["out"]
    return re.sub(r"# progname .*", "# progname", out)


def until(side, want):
    end = time.monotonic() + PATIENCE
    while listing(side) != want and time.monotonic() < end:
        pass
    return listing(side)


def story(side):
    """What is seen, step by step."""
    seen = []
    owner, other = Owner(side), Owner(side)
    side.run("add table ip shared { chain c { }; }")
    owner.say("add table ip own { flags owner; chain c { }; }")
    end = time.monotonic() + PATIENCE
    while "own" not in listing(side) and time.monotonic() < end:
        pass
    seen.append(listing(side))
    for command in ("add chain ip own d", "delete table ip own", "add rule ip own c accept",
                    "add set ip own s { type ipv4_addr; }", "flush table ip own",
                    "add table ip own", "add table ip shared { flags owner; }", "flush ruleset"):
        answer = side.run(command)
        seen.append((command, answer["rc"], answer["err"], listing(side)))
    other.say("add table ip6 two { flags owner; }")
    while "two" not in listing(side) and time.monotonic() < end:
        pass
    seen.append(listing(side))
    owner.kill()
    seen.append(until(side, "table ip6 two { # progname\n\tflags owner\n}\n"))
    other.process.stdin.close()
    other.process.wait()
    seen.append(until(side, ""))
    return seen


def main():
    linux, store = Side(), Side(sys.argv[1], sys.argv[2])
    want, got = story(linux), story(store)
    linux.close()
    store.close()
    for w, g in zip(want, got):
        if w != g:
            print(f"Linux: {w}\nstore: {g}")
    if want != got or want[-1] != "" or "own" not in want[0]:
        return 1
    print(f"{len(want)} steps, no difference")
    return 0


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C"
    sys.exit(main())
