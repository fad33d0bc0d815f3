#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What stock nft prints of our store and of the kernel's, command by command.

usage: test_nft.py NFT_STORE LIBSHUNT_NFT [FILE.nft ...]
Each command runs in a network namespace of its own against the kernel, and
against NFT_STORE by the preloaded shim: standard output, errors and exit status
must be equal. Afterwards each FILE is loaded on an empty ruleset and listed.
Exit status 77: not root, or no nft.
"""
import difflib
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile

import cases

CASES = [
    # a session; each line is given to nft as one command
    """add table ip t
add table ip t
create table ip t
add chain ip t c
add chain ip t d
add chain ip t c
create chain ip t c
add rule ip t c jump d
delete chain ip t d
add rule ip t d jump c
add rule ip t nowhere accept
add rule ip nowhere c accept
add chain ip t b { type filter hook forward priority 0; policy drop; }
add chain ip t b { type filter hook forward priority 1; policy drop; }
add chain ip t b { type nat hook forward priority 0; }
add chain ip t n { type nat hook forward priority 0; }
add chain ip t n { type nat hook postrouting priority -300; }
add chain ip t n { type route hook forward priority 0; }
add chain ip t b { policy accept; }
add rule ip t b jump d
add rule ip t b jump nowhere
add rule ip t c jump b
add rule ip t d masquerade
list ruleset
-a list ruleset
-j list ruleset
delete rule ip t c handle 99
delete rule ip t c handle 3
delete chain ip t d
rename chain ip t d e
rename chain ip t c e
rename chain ip t e c
-a list ruleset
flush chain ip t c
delete table ip t
delete table ip t
list ruleset""",
    """add table inet f
add chain inet f c
add rule inet f c tcp dport 22 counter accept
add rule inet f c tcp dport { 80, 443 } counter packets 5 bytes 500 accept
insert rule inet f c ip saddr 10.0.0.0/8 drop
add rule inet f c index 0 udp dport 53 accept
insert rule inet f c index 1 udp dport 54 accept
add rule inet f c position 5 udp dport 55 accept
-a list ruleset
replace rule inet f c handle 2 tcp dport 23 counter accept
replace rule inet f c handle 77 tcp dport 23 counter accept
delete rule inet f c handle 4
-a list ruleset
-nn list chain inet f c
list chain inet f nothere
list table inet f
list tables
list chains
-e -a add rule inet f c meta mark 5 accept
-e add element inet f nothere { 1 }""",
    """add table ip s
add set ip s a { type ipv4_addr; }
add set ip s a { type ipv4_addr; }
add set ip s a { type inet_service; }
create set ip s a { type ipv4_addr; }
add set ip s i { type ipv4_addr; flags interval; }
add set ip s k { type ipv4_addr . inet_service; }
add map ip s m { type inet_service : ipv4_addr; }
add map ip s v { type ipv4_addr : verdict; }
add chain ip s c
add chain ip s to
add element ip s a { 10.0.0.1, 10.0.0.2 }
add element ip s a { 10.0.0.1 }
create element ip s a { 10.0.0.1 }
delete element ip s a { 10.0.0.9 }
delete element ip s a { 10.0.0.2 }
add element ip s i { 10.0.0.0/8, 192.168.0.0-192.168.3.255 }
add element ip s k { 10.0.0.1 . 80 }
add element ip s m { 80 : 10.0.0.5 }
add element ip s m { 80 : 10.0.0.6 }
add element ip s v { 10.0.0.1 : jump to, 10.0.0.2 : accept }
add element ip s v { 10.0.0.3 : jump nowhere }
delete chain ip s to
add rule ip s c ip saddr @a drop
add rule ip s c ip saddr @i drop
add rule ip s c ip saddr . tcp dport @k drop
add rule ip s c ip saddr vmap @v
add rule ip s c ip saddr @nowhere drop
delete set ip s a
get element ip s i { 10.1.2.3 }
get element ip s i { 11.1.2.3 }
get element ip s a { 10.0.0.1 }
get element ip s a { 10.0.0.7 }
list set ip s a
list set ip s i
list map ip s v
list sets
flush set ip s a
-a list ruleset
-j list ruleset
add rule ip s c tcp dport vmap { 22 : accept, 80 : jump to }
-a list ruleset
flush chain ip s c
list ruleset
delete set ip s a
flush ruleset
list ruleset""",
    """add table ip o
add counter ip o hits
add counter ip o hits
create counter ip o hits
add counter ip o more { packets 3 bytes 300 }
add chain ip o c
add rule ip o c counter name hits
add rule ip o c counter name nothere
delete counter ip o hits
list counters
list counter ip o more
reset counter ip o more
reset counters
list ruleset
delete rule ip o c handle 4
delete counter ip o hits
-a list ruleset""",
    """add table ip l
add chain ip l b { type filter hook input priority 0; }
add chain ip l c0
add chain ip l c1
add chain ip l n { type nat hook prerouting priority 0; }
add rule ip l c0 goto c1
add rule ip l b jump c0
add rule ip l c1 jump c0
add rule ip l c1 masquerade
add rule ip l n dnat to 10.0.0.1
add rule ip l n redirect to :80
add rule ip l n masquerade
add rule ip l b snat to 10.0.0.1
add rule ip l b dnat to 10.0.0.1
add rule ip l b reject
add rule ip l b reject with icmp type host-unreachable
add rule ip l b reject with tcp reset
add rule ip l b limit rate 10/second burst 5 packets accept
add rule ip l b limit rate over 1 mbytes/second drop
add rule ip l b log prefix \\"hello \\" level info
add rule ip l b ct state established,related accept
add rule ip l b ct mark 5 meta mark set ct mark
add rule ip l b ct original ip saddr 10.0.0.1
add rule ip l b ip ttl 5-10 accept
add rule ip l b ip dscp cs1 accept
add rule ip l b tcp flags syn / fin,syn,rst,ack accept
add rule ip l b meta l4proto { tcp, udp } th dport 53 accept
add rule ip l b iifname \\"eth*\\" accept
add rule ip l b iif lo accept
add rule ip l b ether saddr 00:11:22:33:44:55 accept
add rule ip l b ip frag-off & 0x1fff != 0 drop
add rule ip l b icmp type echo-request accept
-a list ruleset
-j list ruleset
add table ip l { flags dormant; }
list ruleset
add table ip l
list ruleset""",
]

# What a family or a table that turns does not take, and who hears of a generation.
CASES.append("""add table netdev n
add chain netdev n c
add rule netdev n c ct state new drop
add rule netdev n c ct mark set 1
add rule netdev n c synproxy mss 1400 wscale 7
add table arp a
add chain arp a c
add rule arp a c ct state new drop
add table ip t
add chain ip t b { type filter hook forward priority 0; }
add table ip t { flags dormant; }; add chain ip t x { type filter hook output priority 5; }
add table ip t { flags dormant; }; add chain ip t x
add table ip t; add chain ip t b { policy drop; }
list ruleset
-e -a add chain ip t e; delete table arp a
-e -a delete table netdev n; add chain ip t f
-e -a add chain ip t g; add chain ip t h
-e -a list ruleset""")

CASES.append("""add table ip l
add set ip l b { type ipv4_addr; flags timeout; timeout 10m; }
add set ip l d { type ipv4_addr; flags dynamic,timeout; timeout 1m; }
add set ip l n { type ipv4_addr; timeout 1m; }
add set ip l i { type ipv4_addr; flags interval,timeout; timeout 1m; }
add set ip l e { type ipv4_addr . inet_service; flags dynamic; size 100; }
add element ip l b { 10.0.0.1, 10.0.0.2 timeout 5h, 10.0.0.3 timeout 1h expires 30m }
add element ip l i { 10.0.0.0/8, 11.0.0.1-11.0.0.9 timeout 1h }
add element ip l d { 1.1.1.1 timeout 20s, 2.2.2.2 }
add element ip l d { 1.1.1.1 }
create element ip l d { 1.1.1.1 }
add chain ip l c { type filter hook forward priority 0; }
add rule ip l c ip saddr @b drop
add rule ip l c update @d { ip saddr limit rate over 10/second burst 7 packets } drop
add rule ip l c add @b { ip saddr timeout 30s }
add rule ip l c add @e { ip saddr . tcp dport }
add rule ip l c add @e { ip saddr . tcp dport timeout 1s }
add rule ip l c meter m { ip saddr counter } accept
add rule ip l c delete @d { ip daddr }
add rule ip l c add @nothere { ip daddr }
-a list ruleset
-j list ruleset
list set ip l d
list meters
get element ip l b { 10.0.0.3 }
delete element ip l d { 2.2.2.2 }
delete element ip l d { 3.3.3.3 }
list set ip l d
flush set ip l d
list set ip l d
delete set ip l d
flush chain ip l c
delete set ip l d
add rule ip l c fib daddr type local accept
add rule ip l c fib saddr . iif oif missing drop
add rule ip l c fib daddr . oif type local accept
add rule ip l c numgen inc mod 3 vmap { 0 : accept, 1 : drop, 2 : continue }
add rule ip l c numgen random mod 10 offset 5 meta mark set 1
add rule ip l c tcp option maxseg size 1-500 drop
add rule ip l c tcp flags syn tcp option maxseg size set rt mtu
add rule ip l c tcp option sack-perm exists accept
add rule ip l c tcp option maxseg size set 1400
-a list ruleset
-j list ruleset""")

CASES.append("""add table ip l
add chain ip l c { type filter hook forward priority 0; }
add rule ip l c tcp dport 22 jump { ip saddr 10.0.0.1 accept; drop; }
add rule ip l c udp dport 53 goto { counter; ip saddr { 10.0.0.2, 10.0.0.3 } accept; }
add rule ip l c jump { jump { drop; }; }
insert rule ip l c jump { log prefix "x "; }
-a list ruleset
-j list ruleset
list chain ip l c
delete rule ip l c handle 3
list ruleset
flush chain ip l c
-a list ruleset
add rule ip l c jump { jump nowhere; }
add rule ip l c jump { drop; }
flush table ip l
-a list ruleset
delete table ip l
list ruleset""")

CASES.append("""add table ip l
add set ip l s { type ipv4_addr . inet_service; flags interval; }
add set ip l t { type ipv4_addr . inet_service . inet_proto; flags interval,timeout; size 3; }
add map ip l m { type ipv4_addr . inet_service : verdict; flags interval; }
add element ip l s { 10.0.0.0/8 . 80, 192.168.1.1-192.168.1.9 . 100-200, 1.1.1.1 . 22 }
add element ip l s { 10.0.0.0/8 . 80 }
create element ip l s { 10.0.0.0/8 . 80 }
add element ip l s { 10.1.0.0/16 . 80 }
add element ip l s { 10.0.0.0/8 . 70-90 }
add element ip l s { 9.0.0.0-11.0.0.0 . 81-90 }
add element ip l t { 10.0.0.0/8 . 80 . tcp timeout 1h, 11.0.0.0/8 . 80 . 6-17, 12.0.0.1 . 1 . udp }
add element ip l t { 13.0.0.1 . 1 . udp }
add element ip l m { 10.0.0.0/8 . 80 : accept, 11.0.0.1 . 1-1024 : drop }
add chain ip l c { type filter hook forward priority 0; }
add rule ip l c ip saddr . tcp dport @s accept
add rule ip l c ip saddr . tcp dport { 10.0.0.0/24 . 80-90, 10.0.1.0/24 . 22 } accept
add rule ip l c ip saddr . udp dport vmap @m
-a list ruleset
-j list ruleset
get element ip l s { 10.3.4.5 . 80 }
get element ip l s { 10.3.4.5 . 81 }
delete element ip l s { 10.0.0.0/8 . 80 }
delete element ip l s { 192.168.1.1 . 100 }
list set ip l s
flush set ip l s
list set ip l s""")

# A chain that something leads to gets another name.
CASES.append("""add table ip r
add chain ip r c
add chain ip r to
add map ip r v { type ipv4_addr : verdict; }
add element ip r v { 10.0.0.1 : jump to, 10.0.0.2 : accept, 10.0.0.3 : goto to }
add rule ip r c jump to
add rule ip r c tcp dport vmap { 22 : accept, 80 : jump to }
add rule ip r c ip saddr vmap @v
add rule ip r c counter packets 3 bytes 300 meta mark set 5 goto to
rename chain ip r to from
-a list ruleset
-j list ruleset
rename chain ip r from c
rename chain ip r c from
delete chain ip r from
delete element ip r v { 10.0.0.1 : jump from }
get element ip r v { 10.0.0.3 }
add rule ip r c jump to
add rule ip r c jump from
rename chain ip r from a_name_that_is_much_longer_than_the_one_before
list ruleset
flush chain ip r c
flush map ip r v
delete chain ip r a_name_that_is_much_longer_than_the_one_before
list ruleset""")

# Whole files of several commands, some with an error: all or nothing, all errors at once.
FILES = [
    "add table ip x\nadd chain ip x c\nadd rule ip x c jump nowhere\nadd rule ip x nochain drop\n",
    "add table ip x\nadd chain ip x c\nadd rule ip x c drop\nadd rule ip x c accept\n",
    "add rule ip x c drop\nadd rule ip x c ip saddr @none drop\n",
    "delete table ip x\nadd table ip y\ndelete table ip nothere\n",
    "flush ruleset\nadd table ip6 z\nadd chain ip6 z c { type filter hook input priority 0; }\n",
    "table ip6 z {\n chain a { jump b; }\n chain b { jump a; }\n"
    " chain base { type filter hook forward priority 0; jump a; }\n}\n",
    "table ip6 z {\n" + "".join(f" chain c{i} {{ jump c{i + 1}; }}\n" for i in range(15))
    + " chain c15 { }\n chain base { type filter hook forward priority 0; jump c0; }\n}\n",
    "table ip6 z {\n" + "".join(f" chain c{i} {{ jump c{i + 1}; }}\n" for i in range(14))
    + " chain c14 { }\n chain base { type filter hook forward priority 0; jump c0; }\n}\n",
]


class Side:
    def __init__(self, prefix, env):
        self.prefix, self.env = prefix, env

    def run(self, args, text=None):
        done = subprocess.run(self.prefix + ["nft"] + args, input=text, env=self.env, text=True,
                              capture_output=True, timeout=60, check=False)
        # What is left of a life.
        out = re.sub(r"expires [0-9dhms]+", "expires T", done.stdout)
        out = re.sub(r'"expires": \d+', '"expires": 0', out)
        out = re.sub(r"# new generation (\d+) by process \d+ \(.*\)",
                     r"# new generation \1", out)
        err = re.sub(r"^/tmp/\S+?:", "FILE:", done.stderr, flags=re.M)
        return done.returncode, out, err


def split(line):
    """Options first, the rest is one command."""
    options = re.match(r"(?:-\w+ )*", line).group(0)
    return options.split() + [line[len(options):].replace('\\"', '"')]


def compare(kernel, ours, args, text=None):
    want, got = kernel.run(args, text), ours.run(args, text)
    if want == got:
        return 0
    print(f"--- nft {' '.join(args)}\n{text or ''}")
    for name, one in (("kernel", want), ("shunt", got)):
        print(f"{name}: status {one[0]}\n{one[1]}{one[2]}", end="")
    return 1


def without_flowtables(listing):
    """A listing as Linux prints it that has no flowtables: neither they nor what adds to them."""
    listing = re.sub(r"^\tflowtable \S+ \{\n(?:\t\t.*\n)*\t\}\n\n?", "", listing, flags=re.M)
    return "".join(line for line in listing.splitlines(True) if "flow add @" not in line)


def without_table_handles(result):
    """Tables' handles count all tables there ever were, of the cases before too."""
    status, out, err = result
    out = re.sub(r"^(table .* \{ # handle )\d+", r"\1N", out, flags=re.M)
    return status, re.sub(r'("table": \{[^{}]*"handle": )\d+', r"\1N", out), err


def compare_case(kernel, ours, case):
    """A case's ruleset on both sides, listed; its flowtables on ours alone. What is refused is
    for the cases' own tests. Differences, and listings compared."""
    failed = count = 0
    text = case.text()
    for flowtables in (False, True) if "#FLOWTABLE" in text else (False,):
        kernel.run(["flush", "ruleset"])
        ours.run(["flush", "ruleset"])
        mine = case.text(flowtables)
        # Changing the packet is not built: the MSS clamps are left out on both sides.
        if flowtables:
            text, mine = ("".join(line for line in t.splitlines(True)
                                  if "maxseg size set" not in line) for t in (text, mine))
        if ours.run(["-f", "-"], mine)[0] != 0 or kernel.run(["-f", "-"], text)[0] != 0:
            print(f"{case.name}{' with flowtables' if flowtables else ''}: refused")
            failed += flowtables and case.name.startswith("08")
            continue
        for options in ([], ["-s"], ["-nn"]) if flowtables else (["-a"], ["-j"], ["-nn"], ["-s"]):
            want, got = (without_table_handles(s.run(options + ["list", "ruleset"]))
                         for s in (kernel, ours))
            if flowtables:
                got = (got[0], without_flowtables(got[1]), got[2])
            count += 1
            if want != got:
                failed += 1
                print(f"--- {case.name} {options}: kernel, shunt")
                for line in itertools.islice(difflib.unified_diff(
                        want[1].splitlines(), got[1].splitlines(), lineterm="", n=0), 20):
                    print(line[:200])
        print(f"{case.name}{' with flowtables' if flowtables else ''}: listed")
    return failed, count


def main():
    store, shim, files = sys.argv[1], sys.argv[2], sys.argv[3:]
    if os.geteuid() != 0 or shutil.which("nft") is None:
        print("needs root and nft")
        return 77
    netns = f"shunt-nft-{os.getpid()}"
    folder = tempfile.mkdtemp()
    sock = folder + "/nft.sock"
    failed = count = 0
    with subprocess.Popen([store, sock], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout.readline() == b"ready\n"
            subprocess.run(["ip", "netns", "add", netns], check=True)
            kernel = Side(["ip", "netns", "exec", netns], dict(os.environ))
            ours = Side([], dict(os.environ, LD_PRELOAD=os.path.abspath(shim),
                                 SHUNT_NFT_SOCKET=sock))
            for case in CASES:
                for line in case.split("\n"):
                    failed += compare(kernel, ours, split(line))
                    count += 1
                compare(kernel, ours, ["flush", "ruleset"])
            for text in FILES:
                failed += compare(kernel, ours, ["-f", "-"], text)
                failed += compare(kernel, ours, ["-a", "list", "ruleset"])
                count += 1
            for name in cases.names():
                one, done = compare_case(kernel, ours, cases.Case(name))
                failed += one
                count += done
            for path in files:
                failed += compare(kernel, ours, ["flush", "ruleset"])
                failed += compare(kernel, ours, ["-f", path])
                for option in ("-a", "-j", "-nn", "-s"):
                    failed += compare(kernel, ours, [option, "list", "ruleset"])
                count += 1
        finally:
            server.stdin.close()
            subprocess.run(["ip", "netns", "del", netns], check=False)
            status = server.wait(timeout=30)
            shutil.rmtree(folder)
    print(f"{count} commands and files, {failed} different")
    return 1 if failed or status != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
