#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""doc/support.md must be what the tables of lib/nft say. argv: support_table"""
import difflib
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMITTED = os.path.join(TOP, "doc", "support.md")


def main():
    run = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        print(run.stderr, end="")
        return 1
    with open(COMMITTED, encoding="utf-8") as f:
        committed = f.read()
    diff = list(difflib.unified_diff(committed.splitlines(), run.stdout.splitlines(),
                                     "doc/support.md", "the tables", lineterm=""))
    if not diff:
        return 0
    print("\n".join(diff))
    print("\ndoc/support.md is out of date. Regenerate it:\n"
          "    ninja -C build && build/tools/support_table > doc/support.md")
    return 1


sys.exit(main())
