#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `nft monitor` prints of what packets do, in Linux and in shuntd.

usage: test_packet_events.py [--build BUILD]
Packets add elements, renew and delete them, use up a quota; elements' time runs
out; then commands change what packets have made. Exit status: 0 equal, 1
different, 77 skipped (not root, no shuntd).
"""
import argparse
import os
import re
import sys
import time

import cases
from monitors import WAIT, Text
from netlab import enter
from packets import udp
from routers import KernelRouter, ShuntRouter
from run import load
from test_trace import A, B, LAN, TOPO

RULES = """
table ip f {
	set seen { type ipv4_addr; flags dynamic,timeout; timeout 1h; }
	set short { type ipv4_addr; flags dynamic,timeout; timeout 1s; }
	set pairs { type ipv4_addr . inet_service; size 100; flags dynamic; }
	set fixed { type ipv4_addr; timeout 1s; elements = { 9.9.9.9 } }
	counter c { }
	quota q { over 40 bytes; }
	quota r { 1000 mbytes; }
	chain fw {
		type filter hook forward priority filter
		add @seen { ip saddr }
		add @short { ip saddr }
		update @pairs { ip daddr . udp dport counter }
		udp dport 54 delete @seen { ip saddr }
		counter name c
		quota name q counter
		quota name r counter
	}
}
"""
PACKETS = [udp(LAN, A, 7001, B, 53), udp(LAN, A, 7001, B, 53), udp(LAN, "10.0.1.6", 7001, B, 53),
           udp(LAN, "10.0.1.7", 7001, B, 54), udp(LAN, A, 7001, B, 53)]
COMMANDS = [
    "add element ip f seen { 10.0.1.5 }", "add element ip f seen { 10.0.1.77 timeout 1h }",
    "delete element ip f seen { 10.0.1.6 }", "delete element ip f pairs { 10.0.2.5 . 53 }",
    "flush set ip f pairs", "delete element ip f seen { 10.0.1.5 }", "flush set ip f seen",
    "reset counters", "reset quotas", "flush ruleset",
]


def run(router, argv, env):
    """By step, what the monitor printed of it."""
    load(router, RULES)
    nft = argv + ["nft"]
    monitor = Text(nft + ["monitor"], env)
    serial = 0

    def step():
        """A table that comes and goes: all before has been printed then."""
        nonlocal serial
        serial += 1
        for word in ("add", "delete"):
            command(router, f"{word} table ip end{serial}")
        last = f"delete table ip end{serial}"
        return tidy(monitor.until(lambda lines: last in lines))

    try:
        monitor_hears(router, monitor)
        step()
        found = {}
        for i, frame in enumerate(PACKETS):
            router.forward("lan", frame, 1)
            found[f"packet {i}"] = step()
        end = time.monotonic() + WAIT
        while "elements" in listing(router) and time.monotonic() < end:
            pass
        found["time runs out"] = step()
        for line in COMMANDS:
            command(router, line)
            found[line] = step()
        return found
    finally:
        monitor.close()


def command(router, line):
    if isinstance(router, ShuntRouter):
        router.command("nft " + line)
    else:
        router.command(f"nft '{line}'")


def listing(router):
    """The sets whose elements have a short life."""
    text = ""
    for name in ("short", "fixed"):
        if isinstance(router, ShuntRouter):
            text += router._ctl("nft", "list", "set", "ip", "f", name).stdout
        else:
            text += router.lab.execute("nft", "list", "set", "ip", "f", name)
    return text


def monitor_hears(router, monitor):
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        for word in ("add", "delete"):
            command(router, f"{word} table ip hello")
        if any("hello" in line for line in monitor.lines(0.2)):
            return
    raise RuntimeError("the monitor hears nothing")


def tidy(lines):
    found = []
    for line in lines:
        if "table ip end" in line or "table ip hello" in line or line.startswith("# new gen"):
            continue
        found.append(re.sub(r"expires [0-9dhms]+", "expires T", line))
    return found


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--build", default=os.path.join(cases.TOP, "build"))
    build = os.path.abspath(ap.parse_args().build)
    if os.geteuid() != 0 or not ShuntRouter.built(build):
        print("needs root and shuntd")
        return 77
    with KernelRouter(TOPO) as router:
        kernel = run(router, enter(router.lab.router), None)
    with ShuntRouter(TOPO, build) as router:
        shim = os.path.join(build, "lib", "nft", "shim", "libshunt-nft.so")
        shunt = run(router, [], dict(os.environ, LD_PRELOAD=shim,
                                     SHUNT_NFT_SOCKET=router._path("nft.sock")))
        missing = router.conservation()
    failed = 0
    for what, want in kernel.items():
        print(f"{what}: {len(want)} lines")
        if want != shunt[what]:
            failed += 1
            print(f"  kernel: {want}\n  shunt:  {shunt[what]}")
    if not any(kernel.values()) or missing:
        print(f"nothing was printed, or {missing} packets unaccounted for")
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
