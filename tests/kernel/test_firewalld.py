#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The stock firewalld, backend nftables, on our store and on the kernel.

usage: test_firewalld.py NFT_STORE LIBSHUNT_NFT
Two daemons run, each with a private system bus, in a network namespace of its own:
one sets up Linux, the other our store by the preloaded shim (with --all: helpers of
conntrack are not built, which zones home and internal name). Both get the same
commands; after each, what firewall-cmd said and what nft lists must be equal.
Exit status 77: not root, or no firewalld.
"""
import difflib
import itertools
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

START = 60      # seconds within which a daemon must be there

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={folder}/bus</listen>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_type="method_call"/><allow send_type="signal"/>
    <allow send_type="method_return"/><allow send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="signal"/>
    <allow receive_type="method_return"/><allow receive_type="error"/>
  </policy>
</busconfig>
"""

CONFIG = """DefaultZone=public
CleanupOnExit=yes
CleanupModulesOnExit=no
Lockdown=no
IPv6_rpfilter=yes
IndividualCalls={individual}
LogDenied=off
FirewallBackend=nftables
FlushAllOnReload=yes
RFC3964_IPv4=yes
"""

# A command a line, of firewall-cmd.
COMMANDS = """--list-all
--zone=internal --change-interface=lan
--zone=external --change-interface=wan
--zone=internal --add-service=http --add-service=dns
--zone=public --add-port=8000-8010/tcp --add-port=53/udp
--zone=public --add-protocol=gre
--zone=public --add-source-port=68/udp
--zone=trusted --add-source=10.9.0.0/16
--zone=drop --add-source=2001:db8:bad::/48
--zone=work --add-source=00:11:22:33:44:55
--zone=external --add-masquerade
--zone=external --add-forward-port=port=80:proto=tcp:toport=8080:toaddr=10.0.0.5
--zone=external --add-forward-port=port=2222:proto=tcp:toport=22
--zone=external --add-forward-port=port=3000-3010:proto=udp:toaddr=10.0.0.6
--zone=public --add-icmp-block=echo-request
--zone=internal --add-icmp-block-inversion
--zone=public --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" service name="ssh" log prefix="ssh " level="info" limit value="3/m" accept'
--zone=public --add-rich-rule='rule family="ipv4" source address="192.0.2.7" reject type="icmp-admin-prohibited"'
--zone=public --add-rich-rule='rule family="ipv6" source address="2001:db8::/32" port port="443" protocol="tcp" accept limit value="10/s"'
--zone=public --add-rich-rule='rule protocol value="esp" accept'
--zone=public --add-rich-rule='rule family="ipv4" destination address="192.0.2.9" drop'
--zone=public --add-rich-rule='rule priority="-5" family="ipv4" source not address="10.0.0.0/8" port port="23" protocol="tcp" drop'
--zone=public --add-rich-rule='rule family="ipv4" source address="10.1.0.0/16" masquerade'
--zone=public --add-rich-rule='rule family="ipv4" forward-port port="81" protocol="tcp" to-port="82" to-addr="10.0.0.7"'
--zone=public --add-rich-rule='rule family="ipv4" source address="10.2.0.1" mark set="0x5/0xff"'
--zone=public --add-rich-rule='rule service name="ftp" audit accept'
--zone=public --add-rich-rule='rule family="ipv4" source mac="00:11:22:33:44:66" accept'
--zone=public --add-rich-rule='rule icmp-type name="timestamp-request" reject'
--zone=internal --add-forward
--zone=internal --remove-forward
--set-log-denied=unicast
--get-active-zones
--list-all-zones
--permanent --new-ipset=friends --type=hash:net
--permanent --ipset=friends --add-entry=10.3.0.0/24
--permanent --zone=trusted --add-source=ipset:friends
--permanent --new-policy=out
--permanent --policy=out --add-ingress-zone=internal
--permanent --policy=out --add-egress-zone=external
--permanent --policy=out --set-target=ACCEPT
--permanent --policy=out --add-masquerade
--permanent --zone=public --add-service=ftp
--runtime-to-permanent
--reload
--list-all-zones
--ipset=friends --add-entry=10.4.0.0/24
--ipset=friends --remove-entry=10.3.0.0/24
--panic-on
--panic-off
--set-default-zone=home
--direct --add-chain ipv4 filter mine
--direct --add-rule ipv4 filter INPUT 0 -p tcp --dport 99 -m conntrack --ctstate NEW -j ACCEPT
--direct --add-rule ipv6 filter FORWARD 0 -p tcp --dport 99 -j REJECT
--direct --add-rule ipv4 nat POSTROUTING 0 -o wan -j MASQUERADE
--direct --remove-rule ipv4 filter INPUT 0 -p tcp --dport 99 -m conntrack --ctstate NEW -j ACCEPT
--zone=external --remove-masquerade
--zone=public --remove-rich-rule='rule protocol value="esp" accept'
--complete-reload
--set-log-denied=off"""


class Daemon:
    """firewalld with a bus and a namespace of its own."""

    def __init__(self, folder, name, individual, extra):
        self.folder, self.netns = os.path.join(folder, name), f"shunt-fwd-{name}-{os.getpid()}"
        self.env = dict(os.environ, LC_ALL="C",
                        DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={self.folder}/bus", **extra)
        self.processes = []
        shutil.copytree("/etc/firewalld", f"{self.folder}/etc",
                        ignore=lambda where, names: [n for n in names if n.endswith(".xml")])
        with open(f"{self.folder}/etc/firewalld.conf", "w", encoding="ascii") as f:
            f.write(CONFIG.format(individual=individual))
        with open(f"{self.folder}/bus.conf", "w", encoding="ascii") as f:
            f.write(BUS.format(folder=self.folder))

    def __enter__(self):
        try:
            subprocess.run(["ip", "netns", "add", self.netns], check=True)
            bus = self._start("dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork",
                              "--nopidfile", "--print-address=1", stdout=subprocess.PIPE)
            bus.stdout.readline()
            self._start("firewalld", "--nofork", "--nopid", f"--system-config={self.folder}/etc",
                        f"--log-file={self.folder}/log", "--log-target=file",
                        stdout=subprocess.DEVNULL)
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, *command, **more):
        if command[0] == "dbus-daemon":
            # It asks for more descriptors than some machines let it have, and says so.
            more["stderr"] = subprocess.DEVNULL
        # Not by `ip netns exec`: what is to be ended is the program itself.
        process = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.netns}", "--", *command],
                                   env=self.env, stdin=subprocess.DEVNULL, **more)
        self.processes.append(process)
        return process

    def _wait(self):
        """Until it answers on its bus."""
        end = time.monotonic() + START
        while self.command("--state")[0] != 0:
            if self.processes[-1].poll() is not None or time.monotonic() > end:
                raise RuntimeError("firewalld does not start:\n" + self.log())

    def stop(self):
        """End firewalld, which takes its rules away. Its exit status."""
        self.processes[-1].send_signal(signal.SIGTERM)
        return self.processes.pop().wait(60)

    def __exit__(self, *_exc):
        for process in reversed(self.processes):
            process.kill()      # a bus has nothing to tidy up
            process.wait()
            if process.stdout:
                process.stdout.close()
        subprocess.run(["ip", "netns", "del", self.netns], check=False)

    def run(self, *args):
        done = subprocess.run(["nsenter", f"--net=/run/netns/{self.netns}", "--", *args],
                              env=self.env, capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, check=False)
        return done.returncode, done.stdout, done.stderr

    def command(self, *args):
        return self.run("firewall-cmd", *args)

    def listings(self):
        return [self.run(*command)[:2] for command in (
            ("nft", "list", "ruleset"), ("nft", "-j", "list", "ruleset"),
            ("iptables-nft-save",), ("ip6tables-nft-save",))]

    def log(self):
        """What it complained of, but for when."""
        if not os.path.exists(f"{self.folder}/log"):
            return ""
        with open(f"{self.folder}/log", encoding="utf-8") as f:
            return re.sub(r"^\d+-\d+-\d+ \d+:\d+:\d+ ", "", f.read(), flags=re.M)


def normal(listing):
    """A listing without what is another one each time."""
    status, out = listing
    out = re.sub(r"^# (Generated|Completed) .*\n", "", out, flags=re.M)
    # Handles count what a failed batch had as well, and elements come in no order.
    return status, re.sub(r'"handle": \d+', '"handle": 0', out)


def differences(kernel, ours, what):
    """Of the two sides' listings: what differs, at most 20 lines each."""
    found = []
    for want, got in zip(map(normal, kernel.listings()), map(normal, ours.listings())):
        if want != got:
            found.append(f"--- after {what}: kernel {want[0]}, shunt {got[0]}")
            found += itertools.islice(difflib.unified_diff(
                want[1].splitlines(), got[1].splitlines(), lineterm="", n=0), 20)
    return found


def compare(folder, store, shim, individual):
    sock = f"{folder}/nft.sock"
    found, count = [], 0
    with subprocess.Popen([store, "--all", sock], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"ready\n"
        with Daemon(folder, "kernel", individual, {}) as kernel, \
                Daemon(folder, "shunt", individual,
                       {"LD_PRELOAD": shim, "SHUNT_NFT_SOCKET": sock}) as ours:
            found += differences(kernel, ours, "the start")
            if "chain filter_IN_public" not in ours.listings()[0][1]:
                found.append("shunt has no rules of firewalld")
            for line in COMMANDS.split("\n"):
                want, got = (side.command(*shlex.split(line)) for side in (kernel, ours))
                count += 1
                if want != got:
                    found.append(f"--- {line}: kernel {want}\nshunt {got}")
                found += differences(kernel, ours, line)
            if kernel.log() != ours.log():
                found += ["--- logs", "kernel: " + kernel.log(), "shunt: " + ours.log()]
            if (kernel.stop(), ours.stop()) != (0, 0):
                found.append("firewalld did not end well")
            found += differences(kernel, ours, "the end")
        server.stdin.close()
        if server.wait(timeout=10) != 0:
            found.append("the store failed")
    return found, count


def main():
    store, shim = sys.argv[1], os.path.abspath(sys.argv[2])
    if os.geteuid() != 0 or shutil.which("firewalld") is None or \
            shutil.which("dbus-daemon") is None:
        print("needs root, firewalld and dbus-daemon")
        return 77
    failed = 0
    for individual in ("no", "yes")[:1 + ("--all" in sys.argv)]:
        with tempfile.TemporaryDirectory() as folder:
            found, count = compare(folder, store, shim, individual)
        print("\n".join(found[:200]))
        print(f"IndividualCalls={individual}: {count} commands, {len(found)} lines differ")
        failed += len(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
