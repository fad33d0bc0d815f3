#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""python3-nftables on our store and on the kernel; and the wrappers by name.

usage: test_python.py NFT_STORE LIBSHUNT_NFT WRAPPERS
The same commands of the module nftables, JSON and text, in one long-lived context:
what comes back must be equal. Then the programs of the folder WRAPPERS: each sees
what the other made in our store, and the kernel's ruleset stays empty.
Exit status 77: not root, or no python3-nftables, or no iptables-nft.
"""
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile


def rule(chain, *expr, **more):
    return {"add": {"rule": {"family": "inet", "table": "t", "chain": chain, "expr": list(expr),
                             **more}}}


def match(left, right, operator="=="):
    return {"match": {"op": operator, "left": left, "right": right}}


def payload(protocol, field):
    return {"payload": {"protocol": protocol, "field": field}}


TABLE = {"family": "inet", "table": "t"}
BATCHES = [
    [{"add": {"table": {"family": "inet", "name": "t", "comment": "of python"}}},
     {"add": {"chain": {**TABLE, "name": "in", "type": "filter", "hook": "input", "prio": 0,
                        "policy": "accept"}}},
     {"add": {"chain": {**TABLE, "name": "other", "comment": "reached by a map"}}},
     {"add": {"set": {**TABLE, "name": "s", "type": "ipv4_addr", "flags": ["interval"],
                      "elem": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, "192.0.2.1"]}}},
     {"add": {"map": {**TABLE, "name": "m", "type": "inet_service", "map": "verdict",
                      "elem": [[22, {"accept": None}], [80, {"jump": {"target": "other"}}]]}}},
     {"add": {"counter": {**TABLE, "name": "hits"}}}],
    [rule("in", match(payload("ip", "saddr"), "@s"), {"counter": None}, {"drop": None},
          comment="by a set"),
     rule("in", match({"ct": {"key": "state"}}, ["established", "related"], "in"), {"accept": None}),
     rule("in", {"vmap": {"key": payload("tcp", "dport"), "data": "@m"}}),
     rule("in", match({"meta": {"key": "iifname"}}, "lan*"), {"counter": "hits"}),
     rule("in", {"limit": {"rate": 3, "per": "minute"}}, {"log": {"prefix": "in: "}},
          {"reject": {"type": "icmpx", "expr": "admin-prohibited"}})],
    [{"list": {"ruleset": None}}],
    [{"add": {"element": {**TABLE, "name": "s", "elem": ["198.51.100.7"]}}}],
    [{"delete": {"element": {**TABLE, "name": "s", "elem": ["192.0.2.99"]}}}],
    [{"insert": rule("in", {"accept": None})["add"]}],
    [rule("nowhere", {"accept": None}), rule("in", {"jump": {"target": "nothing"}})],
    [{"rename": {"chain": {**TABLE, "name": "other", "newname": "renamed"}}}],
    [{"delete": {"chain": {**TABLE, "name": "renamed"}}}],
    [{"list": {"map": {**TABLE, "name": "m"}}}],
    [{"list": {"ruleset": None}}],
    [rule("in", match({"meta": {"key": "l4proto"}}, {"set": ["tcp", "udp"]}),
          match(payload("th", "dport"), {"range": [1000 + i, 2000 + i]}), {"accept": None})
     for i in range(300)],
    [{"list": {"chain": {**TABLE, "name": "in"}}}],
    [{"flush": {"chain": {**TABLE, "name": "in"}}}, {"list": {"counters": None}}],
    [{"flush": {"ruleset": None}}],
    [{"list": {"ruleset": None}}],
]
TEXTS = ["add table ip x; add chain ip x c; add rule ip x c ip daddr { 10.0.0.1, 10.0.0.2 } drop",
         "list ruleset", "add rule ip x nothere accept", "-c add table ip y", "delete table ip x",
         "list tables"]


def serve():
    """Ask the module; an answer a line."""
    import nftables
    nft = nftables.Nftables()
    nft.set_json_output(True)
    for echo in (False, True):
        nft.set_echo_output(echo)
        nft.set_handle_output(echo)
        for batch in BATCHES:
            # nft 1.0.6 echoes an insertion with its handle or without, as it happens.
            if echo and "insert" in batch[0]:
                continue
            text = {"nftables": batch}
            nft.json_validate(text)
            # The module cannot read the answer to a list that is echoed as well.
            said = nft.cmd(json.dumps(text)) if echo else nft.json_cmd(text)
            print(json.dumps(said), flush=True)
    nft.set_echo_output(False)
    for as_json in (True, False):
        nft.set_json_output(as_json)
        for text in TEXTS:
            print(json.dumps(nft.cmd(text)), flush=True)
        nft.set_dry_run(True)
        print(json.dumps(nft.cmd("add table ip z")), flush=True)
        nft.set_dry_run(False)


def ask(prefix, env):
    done = subprocess.run(prefix + ["/usr/bin/python3", os.path.abspath(__file__), "serve"],
                          env=env, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


def wrapped(prefix, folder, sock):
    """What is wrong with the programs of the folder."""
    env = {"PATH": folder + ":/usr/sbin:/usr/bin:/sbin:/bin", "SHUNT_NFT_SOCKET": sock}
    wrong = []

    def run(*args, expect="", fails=False):
        done = subprocess.run(prefix + list(args), env=env, capture_output=True, text=True,
                              timeout=60, check=False)
        if (done.returncode != 0) != fails or expect not in done.stdout + done.stderr:
            wrong.append(f"{args}: {done.returncode} {done.stdout}{done.stderr}")
        return done.stdout

    run("iptables", "-A", "FORWARD", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
    run("ip6tables", "-P", "FORWARD", "DROP")
    run("nft", "list ruleset", expect="tcp dport 22")
    run("nft", "list ruleset", expect="table ip6 filter")
    saved = run("iptables-save", expect="-A FORWARD -p tcp -m tcp --dport 22 -j ACCEPT")
    run("nft", "flush ruleset")
    run("sh", "-c", f"echo '{saved}' | iptables-restore")
    run("iptables", "-S", "FORWARD", expect="-A FORWARD -p tcp")
    if run("/usr/sbin/nft", "list ruleset"):
        wrong.append("the kernel has got rules")
    env["SHUNT_NFT_SOCKET"] = sock + ".not"
    run("iptables", "-S", fails=True, expect="Connection refused")
    env["SHUNT_NFT_LIBRARY"] = "/nonexistent.so"
    run("nft", "list ruleset", fails=True, expect="SHUNT_NFT_LIBRARY")
    if subprocess.run(prefix + ["/usr/sbin/nft", "list", "ruleset"], capture_output=True,
                      check=True).stdout:
        wrong.append("the kernel has got rules")
    return wrong


def main():
    store, shim, wrappers = (os.path.abspath(a) for a in sys.argv[1:4])
    # The tests' interpreter, not one that happens to be first in PATH.
    if os.geteuid() != 0 or importlib.util.find_spec("nftables") is None or \
            shutil.which("iptables-nft") is None:
        print("needs root, python3-nftables and iptables-nft")
        return 77
    netns, wrong = f"shunt-py-{os.getpid()}", []
    with tempfile.TemporaryDirectory() as folder, \
            subprocess.Popen([store, folder + "/nft.sock"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout.readline() == b"ready\n"
            subprocess.run(["ip", "netns", "add", netns], check=True)
            prefix = ["ip", "netns", "exec", netns]
            want = ask(prefix, dict(os.environ))
            got = ask(prefix, dict(os.environ, LD_PRELOAD=shim,
                                   SHUNT_NFT_SOCKET=folder + "/nft.sock"))
            if want[0] != 0 or len(want[1]) < 2 * len(BATCHES):
                wrong.append(f"the module fails: {want[2]}")
            wrong += [f"kernel {a[:2000]}\nshunt  {b[:2000]}" for a, b in zip(want[1], got[1])
                      if a != b]
            if (want[0], len(want[1]), want[2]) != (got[0], len(got[1]), got[2]):
                wrong.append(f"kernel {want[0]} {want[2]}\nshunt  {got[0]} {got[2]}")
            subprocess.run(prefix + ["nft", "flush", "ruleset"], check=True)
            wrong += wrapped(prefix, wrappers, folder + "/nft.sock")
        finally:
            subprocess.run(["ip", "netns", "del", netns], check=False)
            server.stdin.close()
            if server.wait(timeout=10) != 0:
                wrong.append("the store failed")
    print("\n".join(wrong))
    print(f"{len(want[1])} answers, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        sys.exit(main())
