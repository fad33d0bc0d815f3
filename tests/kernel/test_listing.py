#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Listings while others write: they end, and each is of one generation.

usage: test_listing.py NFT_STORE LIBSHUNT_NFT

Two writers put the same into two sets, transaction after transaction, as fast as nft
can; meanwhile the ruleset is listed, time after time. On Linux that may never end: nft
begins again whenever the generation has changed. Then a reader that was outrun is
stopped in the middle: writers wait for it, and not for long.
"""
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from nft_side import Side

PATIENCE = 60
LISTINGS = 5
SIZE = 20000


class Writer(threading.Thread):
    """nft, again and again, until it is told to stop."""

    def __init__(self, side, first):
        super().__init__()
        self.side, self.first = side, first
        self.stop, self.count, self.slowest, self.error = False, 0, 0, None

    def run(self):
        while not self.stop and self.error is None:
            n = self.count
            key = f"{self.first}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
            start = time.monotonic()
            done = subprocess.run(
                [*self.side.prefix, "nft", f"add element ip t a {{ {key} }}; add element ip t b {{ {key} }}"],
                env=self.side.env, capture_output=True, text=True, check=False, timeout=PATIENCE)
            self.slowest = max(self.slowest, time.monotonic() - start)
            self.error = done.stderr[:300] if done.returncode else None
            self.count += 1


def list_once(side):
    """What both sets have, or an error."""
    try:
        done = subprocess.run([*side.prefix, "nft", "list", "ruleset"], env=side.env,
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return None, f"a listing does not end in {PATIENCE} s"
    if done.returncode:
        return None, done.stderr[:300]
    sets = {name: set(re.findall(r"[0-9.]{7,}", text)) for name, text in
            re.findall(r"set (\w) \{(.*?)\n\t\}", done.stdout, re.S)}
    if sets["a"] != sets["b"]:
        return None, f"not of one generation: {sorted(sets['a'] ^ sets['b'])}"
    return len(sets["a"]), None


def listings(side, writers):
    seen = [0]
    while len(seen) <= LISTINGS:
        size, error = list_once(side)
        if error:
            return error
        if size < seen[-1]:
            return f"{size} elements after {seen[-1]}"
        seen.append(size)
    for w in writers:
        if w.error or not w.count:
            return f"a writer: {w.error}, {w.count}"
    print(f"{LISTINGS} listings beside {sum(w.count for w in writers)} transactions; "
          f"the slowest of these took {max(w.slowest for w in writers):.2f} s")
    return None


FRAME_REQ, NETFILTER, GETGEN = 1, 12, 10 << 8 | 16


def ask_generation(sock):
    """As a client that speaks the socket's own frames (lib/nft/nft_frame.h)."""
    message = struct.pack("=IHHII4x", 20, GETGEN, 1, 0, 0)
    sock.sendall(struct.pack("=IBBH", len(message), FRAME_REQ, NETFILTER, 0) + message)
    sock.recv(4096)


def stopped(side, writer):
    """A client that was outrun, reads on, and then does nothing any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(side.env["SHUNT_NFT_SOCKET"])
        before = writer.count
        ask_generation(sock)
        end = time.monotonic() + PATIENCE
        while writer.count < before + 2 and time.monotonic() < end:
            pass
        writer.slowest = 0
        ask_generation(sock)
        before = writer.count
        while writer.count < before + 10 and time.monotonic() < end:
            pass
        if writer.count < before + 10:
            return "a client that does nothing holds writers up for ever"
        if writer.slowest < 0.5:
            return f"nobody waited for the reader: {writer.slowest:.2f} s"
        print(f"beside a reader that stopped, the slowest transaction took {writer.slowest:.2f} s")
    return None


def main():
    side = Side(sys.argv[1], sys.argv[2])
    same = "; ".join(f"add set ip t {s} {{ type ipv4_addr; }}" for s in "ab")
    side.run(f"add table ip t; {same}; add set ip t large {{ type ipv4_addr; }}")
    keys = ",".join(f"12.0.{i >> 8 & 255}.{i & 255}" for i in range(SIZE))
    side.run(f"add element ip t large {{ {keys} }}")
    writers = [Writer(side, 10), Writer(side, 11)]
    for w in writers:
        w.start()
    try:
        error = listings(side, writers)
        writers[1].stop = True
        writers[1].join()
        error = error or stopped(side, writers[0])
    finally:
        for w in writers:
            w.stop = True
            w.join()
        side.close()
    if error:
        print(f"FAILED: {error}")
    return 1 if error else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("LC_ALL", "C")
    sys.exit(main())
