#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Stock dpdk-testpmd on the modelled NIC: rules by its command line, and what
# they do to frames between two namespaces.
#
# usage: test_testpmd.sh BUILD
set -u
build=$(realpath "${1:-build}")
plugin=$build/drivers/net/nicmodel/librte_net_nicmodel.so
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
[ -f "$plugin" ] || { echo "the modelled NIC is not built"; exit 77; }

id=tp$$
# EAL takes no plugin from below a folder that everybody may write to.
run=$(mktemp -d /run/shunt-testpmd-XXXXXX)
failed=0
testpmd=

cleanup() {
	[ -n "$testpmd" ] && kill "$testpmd" 2> /dev/null && wait "$testpmd" 2> /dev/null
	for ns in a b; do
		ip netns pids $id$ns 2> /dev/null | xargs -r kill 2> /dev/null
		ip netns del $id$ns 2> /dev/null
	done
	ip netns del ${id}n 2> /dev/null
	rm -rf "$run"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

for ns in a b n; do
	ip netns add $id$ns
	ip netns exec $id$ns sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
done
for ns in a b; do
	ip link add h$ns netns $id$ns type veth peer name ${ns}w netns ${id}n
	ip -n $id$ns link set h$ns up
	ip -n ${id}n link set ${ns}w up
	ip netns exec $id$ns ethtool -K h$ns tx off tso off gso off > /dev/null
done
cp "$plugin" "$run/"
mkfifo "$run/in"

ip netns exec ${id}n stdbuf -oL dpdk-testpmd --no-huge -m 512 --no-shconf --no-pci --lcores '0@0,1@0' \
	-d "$run/librte_net_nicmodel.so" \
	--vdev net_nicmodel0,iface=aw,mac=02:00:00:00:00:0a \
	--vdev net_nicmodel1,iface=bw,mac=02:00:00:00:00:0b \
	-- -i --forward-mode=rxonly --nb-cores=1 --total-num-mbufs=8192 < "$run/in" > "$run/out" 2>&1 &
testpmd=$!
exec 3> "$run/in"

wait_for() { # wait_for TEXT: in what testpmd has printed
	for _ in $(seq 600); do
		grep -q -- "$1" "$run/out" && return 0
		kill -0 "$testpmd" 2> /dev/null || break
		read -rt 0.1 <> <(:)
	done
	echo "FAILED: no '$1' in:"
	tail -40 "$run/out"
	exit 1
}
say() { echo "$1" >&3; }
check() { # check TEXT COMMAND...
	local text=$1
	shift
	if "$@"; then echo "ok: $text"; else
		echo "FAILED: $text"
		failed=1
	fi
}

wait_for 'testpmd> '
# The list of ports: the wires belong to the driver. Ports 0 and 2 are ours.
say 'show port summary all'
wait_for 'Number of available ports: 2'
ports=$(sed -n 's/^\([0-9]\+\) *02:00:00:00:00:0[AaBb].*/\1/p' "$run/out" | sort -nu | tr '\n' ' ')
read -r p0 p1 <<< "$ports"
say 'start'
say "flow create $p0 transfer pattern represented_port ethdev_port_id is $p0 / eth / ipv4 src is 10.1.0.2 dst is 10.2.0.2 / udp src is 5000 dst is 6000 / end actions set_ipv4_src ipv4_addr 192.0.2.1 / set_tp_src port 7000 / set_mac_dst mac_addr 02:00:00:00:00:fe / dec_ttl / count / represented_port ethdev_port_id $p1 / end"
wait_for 'Flow rule #0 created'
say "flow create $p0 transfer pattern represented_port ethdev_port_id is $p0 / eth / ipv4 / icmp / end actions drop / end"
wait_for 'item not supported'

cat > "$run/traffic.py" << 'PY'
import sys
from scapy.all import Ether, IP, UDP, Raw, sendp, AsyncSniffer
way, iface = sys.argv[1], sys.argv[2]
if way == "send":
    hit = Ether(dst="02:00:00:00:00:0a") / IP(src="10.1.0.2", dst="10.2.0.2") / \
        UDP(sport=5000, dport=6000) / Raw(b"x" * 40)
    miss = Ether(dst="02:00:00:00:00:0a") / IP(src="10.1.0.2", dst="10.2.0.3") / \
        UDP(sport=5000, dport=6000) / Raw(b"x" * 40)
    sendp([hit] * 20 + [miss] * 5, iface=iface, verbose=False)
else:
    sniffer = AsyncSniffer(iface=iface, count=20, timeout=30,
                           lfilter=lambda p: UDP in p and p[UDP].dport == 6000,
                           started_callback=lambda: print("listening", flush=True))
    sniffer.start()
    sniffer.join()
    good = 0
    for p in sniffer.results:
        raw = bytes(p)
        again = Ether(raw)
        del again[IP].chksum, again[UDP].chksum
        again = Ether(bytes(again))
        good += (p[IP].src == "192.0.2.1" and p[UDP].sport == 7000 and p[IP].ttl == 63 and
                 p.dst == "02:00:00:00:00:fe" and p[IP].chksum == again[IP].chksum and
                 p[UDP].chksum == again[UDP].chksum)
    print(f"good {good}")
PY
ip netns exec ${id}b /usr/bin/python3 "$run/traffic.py" listen hb > "$run/heard" 2>&1 &
listener=$!
for _ in $(seq 300); do grep -q listening "$run/heard" && break; read -rt 0.1 <> <(:); done
ip netns exec ${id}a /usr/bin/python3 "$run/traffic.py" send ha > /dev/null
wait $listener
check "20 frames rewritten by the rule, sums right" grep -q 'good 20' "$run/heard"
say "flow query $p0 0 count"
wait_for 'hits: 20'
say "show port xstats $p0"
wait_for 'hw_forwarded: 20'
wait_for 'sw_received: 5'
say "flow destroy $p0 rule 0"
wait_for 'Flow rule #0 destroyed'
say "show port xstats $p0"
wait_for 'flow_rules: 0'
say 'quit'
wait "$testpmd"
check "testpmd ends well" [ $? = 0 ]
testpmd=
exit $failed
