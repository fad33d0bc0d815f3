#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""nftables' own tests/shell against the store, with the stock nft.

  shell_suite.py --suite DIR --store NFT_STORE --shim LIBSHUNT_NFT [--kernel] [--known FILE.csv]
                 [-v] [TESTCASE...]

DIR is tests/shell of a nftables source tree. Each testcase gets a network
namespace and a store of its own; --kernel runs it against Linux instead. With
--known, a table "testcase,result" of what Linux does (a column "suite" selects
by --tag), only what Linux passes counts, and what differs is listed.
"""
import argparse
import collections
import csv
import os
import subprocess
import sys
import tempfile

TIMEOUT = 60


def arguments():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--suite", required=True)
    ap.add_argument("--store")
    ap.add_argument("--shim")
    ap.add_argument("--kernel", action="store_true")
    ap.add_argument("--known")
    ap.add_argument("--tag", default="v1.0.6")
    ap.add_argument("--strict", action="store_true",
                    help="refuse what the dataplane cannot evaluate")
    ap.add_argument("-v", "--verbose", action="store_true")
    ap.add_argument("testcases", nargs="*")
    return ap.parse_args()


def all_testcases(suite):
    found = []
    root = os.path.join(suite, "testcases")
    for folder, _, files in os.walk(root):
        for name in files:
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK) and "/dumps" not in folder:
                found.append(os.path.relpath(path, root))
    return sorted(found)


def known(path, tag):
    with open(path, encoding="utf-8") as f:
        return {row["testcase"]: row["result"] for row in csv.DictReader(f)
                if row.get("suite", tag) == tag}


def wrapper(folder, shim, sock):
    path = os.path.join(folder, "nft")
    with open(path, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\n")
        if shim:
            f.write(f"export LD_PRELOAD='{shim}' SHUNT_NFT_SOCKET='{sock}'\n")
        f.write('exec /usr/sbin/nft "$@"\n')
    os.chmod(path, 0o755)
    return path


def dump_differs(nft, suite, name):
    """What run-tests.sh says of the dump behind a testcase that passed, or ""."""
    path = os.path.join(suite, "testcases", os.path.dirname(name), "dumps",
                        os.path.basename(name) + ".nft")
    if not os.path.exists(path):
        return ""
    out = subprocess.run([nft, "list", "ruleset"], capture_output=True, text=True, check=False)
    with open(path, encoding="utf-8") as f:
        want = f.read()
    if out.stdout == want and out.returncode == 0:
        return ""
    with tempfile.NamedTemporaryFile("w", suffix=".nft") as got:
        got.write(out.stdout)
        got.flush()
        diff = subprocess.run(["diff", "-u", path, got.name], capture_output=True, text=True,
                              check=False)
    return "dump: " + out.stderr + diff.stdout



def run_one(args, name):
    with tempfile.TemporaryDirectory(prefix="shunt-shell-", dir="/run") as folder:
        os.chmod(folder, 0o755)
        sock = os.path.join(folder, "sock")
        store = None
        if not args.kernel:
            store = subprocess.Popen([args.store, *([] if args.strict else ["--all"]), sock], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            store.stdout.readline()
        nft = wrapper(folder, None if args.kernel else os.path.abspath(args.shim), sock)
        env = {**os.environ, "NFT": nft, "DIFF": "/usr/bin/diff"}
        try:
            r = subprocess.run([os.path.join("testcases", name)], cwd=args.suite, env=env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False)
            text, rc = r.stdout.decode("utf-8", "replace"), r.returncode
            if rc == 0:
                differs = dump_differs(nft, args.suite, name)
                if differs:
                    text, rc = differs, 1
        except subprocess.TimeoutExpired:
            text, rc = "timeout", 1
        finally:
            if args.kernel:
                subprocess.run(["nft", "flush", "ruleset"], check=False)
            else:
                store.stdin.close()
                try:
                    if store.wait(10) != 0:
                        text, rc = text + f"\nthe store ended with {store.returncode}", 1
                except subprocess.TimeoutExpired:
                    store.kill()
                    text, rc = text + "\nthe store hangs", 1
        return rc, text


def main():
    args = arguments()
    if os.environ.get("SHUNT_IN_NETNS") != "1":
        os.environ["SHUNT_IN_NETNS"] = "1"
        for name in ("suite", "store", "shim", "known"):
            if getattr(args, name):
                sys.argv = [os.path.abspath(a) if a == getattr(args, name) else a
                            for a in sys.argv]
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
    linux = known(args.known, args.tag) if args.known else {}
    count = collections.Counter()
    missed = []
    for name in args.testcases or all_testcases(args.suite):
        rc, text = run_one(args, name)
        result = "pass" if rc == 0 else "fail"
        theirs = linux.get(name, "?")
        count[result, theirs] += 1
        if result != "pass" and theirs in ("pass", "?"):
            missed.append(name)
            line = next((l for l in text.splitlines() if "rror" in l), text.strip()[:160])
            print(f"FAIL {name}: {line.strip()[:200]}", flush=True)
            if args.verbose:
                print(text)
    for (result, theirs), n in sorted(count.items()):
        print(f"{n:4} {result} here, {theirs} on Linux")
    print(f"{sum(n for (r, _), n in count.items() if r == 'pass')} passed, {len(missed)} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
