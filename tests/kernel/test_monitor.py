#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `nft monitor` prints of the same commands, in Linux and of our store.

usage: test_monitor.py NFT_STORE LIBSHUNT_NFT
The sessions of test_nft.py and those below are given to the kernel, in a network
namespace, and to NFT_STORE by the preloaded shim, while monitors of several kinds
listen: what they print must be equal, and so what a command with -e prints.
Exit status: 0 equal, 1 different, 77 skipped (not root, no nft).
"""
import difflib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from monitors import WAIT, Text
from test_nft import CASES, FILES, Side, split

# Words behind nft, and what the last line has of what END does.
KINDS = [
    (["monitor"], "delete table ip zz"),
    (["-j", "monitor"], '{"delete": {"table": {"family": "ip", "name": "zz"'),
    (["-a", "-nn", "monitor", "new"], "add rule ip zz c drop"),
    (["monitor", "destroy"], "delete table ip zz"),
    (["monitor", "new", "rules"], "add rule ip zz c drop"),
    (["monitor", "rules"], "delete rule ip zz c"),
    (["monitor", "new", "elements"], "add element ip zz s"),
    (["monitor", "destroy", "chains"], "delete chain ip zz c"),
    (["-j", "monitor", "sets"], '{"delete": {"set": {"family": "ip", "name": "s"'),
    (["monitor", "tables"], "delete table ip zz"),
    (["-j", "monitor", "ruleset"], '{"delete": {"table": {"family": "ip", "name": "zz"'),
]
# Elements that make more events than wait for anybody (NFT_EVENTS_MAX; nft asks Linux for less).
BATCH, BATCH_COUNT = 65536, 6
END = """add table ip zz
add chain ip zz c
add rule ip zz c drop
add set ip zz s { type ipv4_addr; }
add element ip zz s { 1.2.3.4 }
flush chain ip zz c
delete chain ip zz c
delete set ip zz s
delete table ip zz"""

SESSIONS = [
    # echoes
    """-e add table ip e
-e add chain ip e c { type filter hook forward priority 0; }
-e -a add rule ip e c counter accept
-e -a insert rule ip e c tcp dport { 22, 80 } drop
-j -e add rule ip e c ip saddr 10.0.0.1 counter
-e add set ip e s { type ipv4_addr; flags interval; }
-e add element ip e s { 10.0.0.0/8, 11.0.0.1-11.0.0.9 }
-e add map ip e m { type inet_service : verdict; }
-e add element ip e m { 80 : accept, 81 : jump nowhere }
-e add element ip e m { 80 : accept, 81 : drop }
-e add counter ip e k
-j -e add counter ip e l
-e add table ip e { comment \\"a table\\"; }
-e create table ip e
-e create table ip e2
-e delete element ip e s { 10.0.0.0/8 }
-e delete rule ip e c handle 3
-e replace rule ip e c handle 4 accept
-e flush chain ip e c
-e reset counters
-e delete table ip e""",
    # every kind of object, renamed, replaced, deleted, flushed
    """add table inet k { flags dormant; }
add table inet k
add chain inet k base { type filter hook input priority filter + 5; policy drop; comment \\"hello\\"; }
add chain inet k base { policy accept; }
add chain inet k plain
rename chain inet k plain simple
add rule inet k base jump simple comment \\"a rule\\"
insert rule inet k base ct state established accept
add rule inet k simple tcp dport vmap { 22 : accept, 80 : jump { counter; }, 443 : drop }
replace rule inet k base handle 4 counter
add set inet k s { type ipv4_addr; timeout 1h; comment \\"a set\\"; }
add element inet k s { 1.1.1.1, 2.2.2.2 timeout 2h comment \\"an element\\" }
add element inet k s { 1.1.1.1 }
delete element inet k s { 1.1.1.1 }
flush set inet k s
add map inet k m { type ipv4_addr : inet_service; flags interval; }
add element inet k m { 10.0.0.0/8 : 80, 11.0.0.0/8 : 81 }
delete element inet k m { 10.0.0.0/8 }
add set inet k cat { type ipv4_addr . inet_service; flags interval; }
add element inet k cat { 10.0.0.0/8 . 80-90, 11.0.0.1 . 22 }
delete element inet k cat { 11.0.0.1 . 22 }
add set inet k i { type ipv4_addr; flags interval; }
add element inet k i { 10.0.0.0/8, 9.0.0.0/8, 192.168.0.1-192.168.0.9, 11.0.0.0/8, 1.1.1.1 }
delete element inet k i { 11.0.0.0/8 }
add element inet k i { 5.0.0.0/8 }
flush set inet k i
add counter inet k c
add quota inet k q { over 10 mbytes; }
add limit inet k l { rate 10/second; }
add rule inet k simple counter name c
delete rule inet k simple handle 99
delete chain inet k base
flush table inet k
delete chain inet k base
delete counter inet k c
delete quota inet k q
delete map inet k m
delete set inet k s
delete table inet k
add table ip6 six
add chain ip6 six c
add rule ip6 six c ip6 saddr 2001:db8::/32 meta mark set 5 accept
add rule ip6 six c meta nftrace set 1
add rule ip6 six c meta nftrace 1
flush ruleset""",
]

# Several commands in one batch.
BATCHES = [
    "table ip b {\n set s { type ipv4_addr; elements = { 1.1.1.1, 2.2.2.2 } }\n"
    " chain c { ip saddr @s accept; tcp dport { 1, 2, 3 } drop; }\n"
    " chain d { type filter hook forward priority 0; jump c; }\n}\n",
    "add element ip b s { 3.3.3.3 }\ndelete element ip b s { 1.1.1.1 }\nadd rule ip b c accept\n"
    "insert rule ip b c drop\nadd chain ip b e\ndelete chain ip b e\n",
    "flush chain ip b c\ndelete chain ip b d\ndelete set ip b s\n",
    "add table ip gone\nadd chain ip gone c\nadd rule ip gone c accept\ndelete table ip gone\n",
    "flush ruleset\ntable inet n {\n chain p { type nat hook postrouting priority srcnat;\n"
    "  oifname \"lo\" masquerade; }\n map m { type ipv4_addr : verdict; flags interval;\n"
    "  elements = { 10.0.0.0/8 : accept, 11.0.0.0/8 : drop }; }\n"
    " chain q { ip saddr vmap @m; jump { log; drop; }; }\n}\n",
    "delete table inet n\nadd table inet n\n",
]


class Listener(Side):
    """A side of test_nft.py with monitors."""

    def __init__(self, prefix, env):
        super().__init__(prefix, env)
        self.monitors = [Text(prefix + ["nft"] + words, env) for words, _ in KINDS]

    def listening(self):
        """Whether every monitor hears of END."""
        self.end()
        return all(any("zz" in line for line in monitor.lines(0.2)) for monitor in self.monitors)

    def end(self):
        for line in END.split("\n"):
            self.run(split(line))

    def heard(self):
        """By monitor, what it has printed since the last call."""
        self.end()
        return [tidy(monitor.until(lambda got, last=last: any(last in line for line in got)))
                for (_, last), monitor in zip(KINDS, self.monitors)]

    def close(self):
        for monitor in self.monitors:
            monitor.close()


def tidy(lines):
    """Less what no two runs have in common; nothing of what END says."""
    found = []
    for line in lines:
        if re.search(r"\bzz\b", line):
            continue
        line = re.sub(r"# new generation \d+ by process \d+ ", "# new generation N by process P ",
                      line)
        line = re.sub(r"expires [0-9dhms]+", "expires T", line)
        line = re.sub(r'"expires": \d+', '"expires": 0', line)
        line = re.sub(r'("table": \{[^{}]*"handle": )\d+', r"\1N", line)
        line = re.sub(r"^(add table .*# handle )\d+", r"\1N", line)
        # What nft prints of memory that it does not own; numbers that all namespaces share.
        line = re.sub(r"0x[0-9a-f]{40,}", "JUNK", line)
        line = re.sub(r"__chain\d+", "__chainN", line)
        found.append(line)
    # To print such a chain nft asks for it on the socket of its events, and loses those behind.
    if any("__chain" in line for line in found):
        found = [line for line in found if not line.startswith("# new generation")]
    # The generations of END itself, and of the one before: they come behind what ends it.
    for end in (0, -1):
        while found and found[end].startswith("# new generation"):
            found.pop(end)
    return found


def compare(what, kernel, ours):
    failed = 0
    for (words, _), want, got in zip(KINDS, kernel, ours):
        if want == got:
            continue
        failed += 1
        print(f"--- {what}\n--- nft {' '.join(words)}: kernel, shunt")
        for line in difflib.unified_diff(want, got, lineterm="", n=1):
            print(line[:300])
    return failed


def run(kernel, ours):
    failed = count = lines = 0
    work = [(case, [(split(line), None) for line in case.split("\n")])
            for case in SESSIONS + CASES]
    work += [(text, [(["-f", "-"], text)]) for text in BATCHES + FILES]
    # Both as often: handles and generations count on.
    end = time.monotonic() + WAIT
    while not all([kernel.listening(), ours.listening()]):
        if time.monotonic() > end:
            raise RuntimeError("not all monitors hear anything")
    kernel.heard()
    ours.heard()
    for what, commands in work:
        for args, text in commands:
            want, got = kernel.run(args, text), ours.run(args, text)
            count += 1
            if want != got and "-e" in args:
                failed += 1
                print(f"--- nft {' '.join(args)}\nkernel: {want}\nshunt:  {got}")
        if commands[-1][1] is None:
            kernel.run(["flush", "ruleset"])
            ours.run(["flush", "ruleset"])
        want, got = kernel.heard(), ours.heard()
        lines += sum(len(w) for w in want)
        failed += compare(what, want, got)
    print(f"{count} commands, {lines} lines of {len(KINDS)} monitors, {failed} differences")
    return failed


def prints(monitor, text, seconds=WAIT):
    """Whether a line comes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if text in monitor.lines(0.2):
            return True
    return False


def stopped(name, side):
    """A monitor that does not read loses events, is told so, and holds nobody up."""
    monitor = Text(side.prefix + ["nft", "monitor"], side.env)
    failed = 0
    try:
        end = time.monotonic() + WAIT
        while not any("zz" in line for line in monitor.lines(0.1)) and time.monotonic() < end:
            side.end()
        os.kill(monitor.process.pid, signal.SIGSTOP)
        began = time.monotonic()
        for n in range(BATCH_COUNT):
            elements = ", ".join(f"10.{n}.{i >> 8}.{i & 255} comment \"{'x' * 120}\""
                                 for i in range(BATCH))
            if side.run(["-f", "-"], f"table ip many {{\n set s{n} {{ type ipv4_addr; "
                        f"elements = {{ {elements} }} }}\n}}\n")[0] != 0:
                print(f"{name}: a batch failed")
                failed += 1
        print(f"{name}: {BATCH_COUNT * BATCH} elements in {time.monotonic() - began:.1f} s "
              "beside a monitor that stands still")
        os.kill(monitor.process.pid, signal.SIGCONT)
        if not prints(monitor, "# ERROR: We lost some netlink events!"):
            print(f"{name}: the monitor was not told that it lost events")
            failed += 1
        # Once it has read what waited for it, it hears everything again.
        end, again = time.monotonic() + WAIT, False
        while not again and time.monotonic() < end:
            side.end()
            again = prints(monitor, "delete table ip zz", 0.5)
        if not again:
            print(f"{name}: the monitor hears nothing any more")
            failed += 1
        side.run(["flush", "ruleset"])
    finally:
        monitor.close()
    return failed


def main():
    store, shim = sys.argv[1], sys.argv[2]
    if os.geteuid() != 0 or shutil.which("nft") is None:
        print("needs root and nft")
        return 77
    netns = f"shunt-monitor-{os.getpid()}"
    folder = tempfile.mkdtemp()
    sock = folder + "/nft.sock"
    sides = []
    with subprocess.Popen([store, sock], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout.readline() == b"ready\n"
            subprocess.run(["ip", "netns", "add", netns], check=True)
            sides = [Listener(["ip", "netns", "exec", netns], dict(os.environ)),
                     Listener([], dict(os.environ, LD_PRELOAD=os.path.abspath(shim),
                                       SHUNT_NFT_SOCKET=sock))]
            failed = run(*sides)
            for side in sides:
                for monitor in side.monitors:
                    monitor.close()
                side.monitors = []
            for name, side in zip(("kernel", "shunt"), sides):
                failed += stopped(name, side)
        finally:
            for side in sides:
                side.close()
            server.stdin.close()
            subprocess.run(["ip", "netns", "del", netns], check=False)
            status = server.wait(timeout=30)
            shutil.rmtree(folder)
    return 1 if failed or status != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
