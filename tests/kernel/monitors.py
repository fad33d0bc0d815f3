# SPDX-License-Identifier: GPL-2.0-or-later
"""Who listens to what nf_tables tells of: `nft monitor`, and the messages themselves."""
import os
import select
import socket
import struct
import subprocess
import time

NETLINK_NETFILTER, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 12, 270, 1
FRAME_JOIN, FRAME_EVENT = 2, 18         # lib/nft/nft_frame.h
WAIT = 20                               # seconds within which what must come has come


class Text:
    """A program that prints, line by line as it prints them."""

    def __init__(self, argv, env=None):
        self.process = subprocess.Popen(["stdbuf", "-oL"] + argv, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=env)
        self.rest = b""

    def lines(self, seconds):
        """What has come within a time, at least until something has."""
        if select.select([self.process.stdout], [], [], seconds)[0]:
            got = os.read(self.process.stdout.fileno(), 1 << 20)
            if not got:
                raise RuntimeError("the monitor has ended: " + self.rest.decode())
            self.rest += got
        *whole, self.rest = self.rest.split(b"\n")
        return [line.decode() for line in whole]

    def until(self, done):
        """Lines until done(of them) is true, or what there is when time is up."""
        got, end = [], time.monotonic() + WAIT
        while time.monotonic() < end:
            got += self.lines(0.2)
            if done(got):
                return got
        return got + ["--- and no more"]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class KernelMessages:
    """The messages of a group, of the namespace that the caller is in."""

    def __init__(self, group):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.sock.bind((0, 0))
        self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)

    def read(self, seconds):
        ready = select.select([self.sock], [], [], seconds)[0]
        return self.sock.recv(1 << 20) if ready else b""

    def close(self):
        self.sock.close()


class ShuntMessages:
    """The same of shuntd's nft socket."""

    def __init__(self, path, group):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.sock.sendall(struct.pack("=IBBHI", 4, FRAME_JOIN, NETLINK_NETFILTER, 0, group))
        self.rest = b""

    def _whole(self):
        """The length of the first frame if all of it is there, else 0."""
        if len(self.rest) < 8:
            return 0
        length = 8 + struct.unpack_from("=I", self.rest)[0]
        return length if len(self.rest) >= length else 0

    def read(self, seconds):
        if not self._whole() and select.select([self.sock], [], [], seconds)[0]:
            self.rest += self.sock.recv(1 << 20)
        length = self._whole()
        if not length:
            return b""
        kind, data, self.rest = self.rest[4], self.rest[8:length], self.rest[length:]
        if kind != FRAME_EVENT:
            raise RuntimeError(f"a frame of kind {kind}")
        return data

    def close(self):
        self.sock.close()


def attributes(data):
    """The attributes of a run of bytes: (type, payload), in order."""
    found, at = [], 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found.append((kind, data[at + 4:at + length]))
        at += (length + 3) & ~3
    return found


def message(data):
    """(type, flags, family, version and res_id, attributes) of a datagram's only message."""
    length, kind, flags = struct.unpack_from("=IHH", data)
    return kind, flags, data[16], data[17:20], attributes(data[20:length])
