#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What stock iptables-nft does with our store and with the kernel, command by command.

usage: test_iptables.py NFT_STORE LIBSHUNT_NFT
Each command runs in a network namespace of its own against the kernel, and
against NFT_STORE by the preloaded shim: standard output, errors and exit status
must be equal, and so must what iptables-save prints after each command.
Exit status 77: not root, or no iptables-nft.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from iptables_rules import RULESETS, SESSIONS


class Side:
    """Linux in a namespace, or the store under the shim."""

    def __init__(self, netns, extra):
        self.prefix = ["ip", "netns", "exec", netns]
        self.env = dict(os.environ, **extra)

    def run(self, args, text=None):
        done = subprocess.run(self.prefix + args, input=text, env=self.env, text=True,
                              capture_output=True, timeout=60, check=False)
        # When it was printed, and by which process.
        out = re.sub(r"^# (Generated|Completed) .*\n", "", done.stdout, flags=re.M)
        out = re.sub(r"by process \d+ \(.*\)", "by process", out)
        return done.returncode, out, done.stderr


def compare(kernel, ours, args, text=None):
    """Differences of one command, 0 or 1."""
    want, got = kernel.run(args, text), ours.run(args, text)
    if want == got:
        return 0
    print(f"--- {' '.join(args)}")
    for name, one in (("kernel", want), ("shunt", got)):
        print(f"{name}: status {one[0]}\n{one[1]}{one[2]}", end="")
    return 1


LISTINGS = (["iptables-nft-save", "-c"], ["ip6tables-nft-save", "-c"],
            ["nft", "--debug=netlink", "-a", "list", "ruleset"])


def compare_session(kernel, ours, lines):
    failed = count = 0
    for line in lines.strip().split("\n"):
        words = shlex.split(line)
        words[0] = re.sub("^(ip6?tables)", r"\1-nft", words[0])
        failed += compare(kernel, ours, words)
        count += 1
        # What is listed is listed anyhow.
        if not {"-L", "-S", "-C"} & set(words):
            for listing in LISTINGS:
                failed += compare(kernel, ours, listing)
                count += 1
    return failed, count


def compare_ruleset(kernel, ours, name, program, text):
    """A whole ruleset: restored, saved, listed, saved text restored, checked, zeroed."""
    failed = count = 0
    steps = [([f"{program}-nft-restore", "-c"], text)]
    steps += [(listing, None) for listing in LISTINGS]
    steps += [([f"{program}-nft", "-t", table, "-L", "-v", "-n", "--line-numbers"], None)
              for table in re.findall(r"^\*(\w+)", text, flags=re.M)]
    for args, given in steps:
        failed += compare(kernel, ours, args, given)
        count += 1
    status, saved, _ = ours.run([f"{program}-nft-save", "-c"])
    if status != 0 or "-A" not in saved:
        print(f"{name}: nothing was saved")
        return failed + 1, count
    for args, given in (([f"{program}-nft-restore", "-c"], saved),
                        ([f"{program}-nft-save", "-c"], None),
                        ([f"{program}-nft", "-L", "-v", "-n"], None),
                        ([f"{program}-nft", "-Z"], None),
                        ([f"{program}-nft-save", "-c"], None),
                        ([f"{program}-nft-restore", "-n", "--test"], text),
                        ([f"{program}-nft-restore", "-n"], text),
                        ([f"{program}-nft-save"], None)):
        failed += compare(kernel, ours, args, given)
        count += 1
    failed += ours.run([f"{program}-nft-save"])[1].count("-A") < text.count("-A")
    print(f"{name}: compared")
    return failed, count


def main():
    store, shim = sys.argv[1], os.path.abspath(sys.argv[2])
    if os.geteuid() != 0 or shutil.which("iptables-nft") is None:
        print("needs root and iptables-nft")
        return 77
    netns = f"shunt-ipt-{os.getpid()}"
    failed = count = 0
    with tempfile.TemporaryDirectory() as folder, \
            subprocess.Popen([store, folder + "/nft.sock"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout.readline() == b"ready\n"
            subprocess.run(["ip", "netns", "add", netns], check=True)
            kernel = Side(netns, {})
            ours = Side(netns, {"LD_PRELOAD": shim, "SHUNT_NFT_SOCKET": folder + "/nft.sock"})
            jobs = [(compare_session, (lines,)) for lines in SESSIONS]
            jobs += [(compare_ruleset, ruleset) for ruleset in RULESETS]
            for job, args in jobs:
                wrong, done = job(kernel, ours, *args)
                failed, count = failed + wrong, count + done
                # Handles of tables count on; both sides have had as many.
                failed += compare(kernel, ours, ["nft", "flush", "ruleset"])
        finally:
            subprocess.run(["ip", "netns", "del", netns], check=False)
            server.stdin.close()
            if server.wait(timeout=10) != 0:
                failed += 1
                print("the store failed")
    print(f"{count} commands, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
