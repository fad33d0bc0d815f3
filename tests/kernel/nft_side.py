# SPDX-License-Identifier: GPL-2.0-or-later
"""libnftables in a process of its own, talking to Linux or to the store.

A side is asked by run() with what `nft` would get as its command; rc, stdout and
stderr come back. Linux's side lives in a network namespace of its own, the
store's under the shim.
"""
import ctypes
import json
import os
import subprocess
import sys
import tempfile


def serve():
    """The process: a request a line on stdin, an answer a line on stdout."""
    lib = ctypes.CDLL("libnftables.so.1")
    lib.nft_ctx_new.restype = ctypes.c_void_p
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free",
                 "nft_ctx_output_get_flags"):
        getattr(lib, name).argtypes = [ctypes.c_void_p]
    lib.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    lib.nft_ctx_set_dry_run.argtypes = [ctypes.c_void_p, ctypes.c_bool]
    lib.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(lib, name).argtypes = [ctypes.c_void_p]
        getattr(lib, name).restype = ctypes.c_char_p
    for line in sys.stdin:
        request = json.loads(line)
        ctx = lib.nft_ctx_new(0)
        lib.nft_ctx_buffer_output(ctx)
        lib.nft_ctx_buffer_error(ctx)
        lib.nft_ctx_output_set_flags(ctx, request["flags"])
        lib.nft_ctx_set_dry_run(ctx, request["dry"])
        rc = lib.nft_run_cmd_from_buffer(ctx, request["cmd"].encode())
        answer = {"rc": rc,
                  "out": lib.nft_ctx_get_output_buffer(ctx).decode(errors="replace"),
                  "err": lib.nft_ctx_get_error_buffer(ctx).decode(errors="replace")}
        lib.nft_ctx_free(ctx)
        print(json.dumps(answer), flush=True)


HANDLE, JSON, ECHO = 1 << 3, 1 << 4, 1 << 5
STATELESS = 1 << 2


class Side:
    """One of the two that are compared."""

    def __init__(self, store=None, shim=None, args=()):
        self.env = dict(os.environ)
        # A namespace that outlives programs: names of interfaces are the store's, or Linux's.
        self.keeper = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "ip link set lo up; echo ready; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.keeper.stdout.readline()
        self.prefix = ["nsenter", "-t", str(self.keeper.pid), "-n"]
        self.store = None
        if store:
            self.folder = tempfile.TemporaryDirectory()
            sock = os.path.join(self.folder.name, "nft.sock")
            self.store = subprocess.Popen([*self.prefix, store, *args, sock],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          text=True)
            if self.store.stdout.readline() != "ready\n":
                raise RuntimeError("the store does not start")
            self.env.update(LD_PRELOAD=shim, SHUNT_NFT_SOCKET=sock)
        self.start()

    def start(self):
        # nft's own assertions are answers, too; what they print is not.
        self.process = subprocess.Popen(
            [*self.prefix, sys.executable, os.path.abspath(__file__)], env=self.env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def run(self, cmd, flags=0, dry=False):
        self.process.stdin.write(json.dumps({"cmd": cmd, "flags": flags, "dry": dry}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.process.wait()
        if self.store and self.store.poll() is not None:
            raise RuntimeError(f"the store died of: {cmd}")
        self.start()
        return {"rc": -99, "out": "", "err": "nft died"}

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        if self.store:
            self.store.stdin.close()
            if self.store.wait() != 0:
                raise RuntimeError("the store failed")
            self.folder.cleanup()
        self.keeper.stdin.close()
        self.keeper.wait()


if __name__ == "__main__":
    serve()
