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
        env, command = dict(os.environ), ["unshare", "-n"]
        self.store = None
        if store:
            self.folder = tempfile.TemporaryDirectory()
            sock = os.path.join(self.folder.name, "nft.sock")
            # In a namespace too: names of interfaces are the store's, not the machine's.
            self.store = subprocess.Popen(["unshare", "-n", store, *args, sock],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          text=True)
            if self.store.stdout.readline() != "ready\n":
                raise RuntimeError("the store does not start")
            env.update(LD_PRELOAD=shim, SHUNT_NFT_SOCKET=sock)
        else:
            command += ["sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
        self.env = env
        self.process = subprocess.Popen(
            command + [sys.executable, os.path.abspath(__file__)], env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        # For further programs on the same side.
        self.run("list tables")
        self.prefix = [] if store else ["nsenter", "-t", str(self.process.pid), "-n"]

    def run(self, cmd, flags=0):
        self.process.stdin.write(json.dumps({"cmd": cmd, "flags": flags}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"nft died of: {cmd}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        if self.store:
            self.store.stdin.close()
            if self.store.wait() != 0:
                raise RuntimeError("the store failed")
            self.folder.cleanup()


if __name__ == "__main__":
    serve()
