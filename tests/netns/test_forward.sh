#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# shuntd between two hosts, real programs on both sides.
#
#   client 10.1.0.2/24 -- c0|lan  shuntd  wan|s0 -- server 10.2.0.2/24
#
# usage: test_forward.sh BUILD
set -u
build=$(realpath "${1:-build}")
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
command -v iperf3 > /dev/null || { echo "needs iperf3"; exit 77; }

id=st$$
work=$(mktemp -d)
failed=0
daemon=

cleanup() {
	[ -n "$daemon" ] && kill "$daemon" 2> /dev/null && wait "$daemon"
	for ns in c r s; do
		ip netns pids $id$ns 2> /dev/null | xargs -r kill 2> /dev/null
		ip netns del $id$ns 2> /dev/null
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

check() { # check TEXT COMMAND...
	local text=$1
	shift
	if "$@" > "$work/out" 2>&1; then
		echo "ok: $text"
	else
		echo "FAILED: $text"
		sed 's/^/    /' "$work/out"
		failed=1
	fi
}

host() { # host NAMESPACE INTERFACE ADDRESS GATEWAY MAC
	ip -n "$1" link set lo up
	ip -n "$1" link set "$2" up
	ip -n "$1" addr add "$3/24" dev "$2"
	ip -n "$1" route add default via "$4"
	ip -n "$1" neigh replace "$4" lladdr "$5" dev "$2" nud permanent
	# A veth leaves checksums and segmentation to its peer, and ours is no kernel.
	ip netns exec "$1" ethtool -K "$2" tx off tso off gso off > /dev/null
	ip netns exec "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
}

for ns in c r s; do ip netns add $id$ns; done
ip link add c0 netns ${id}c type veth peer name lan0 netns ${id}r
ip link add s0 netns ${id}s type veth peer name wan0 netns ${id}r
ip netns exec ${id}r sysctl -qw net.ipv6.conf.all.disable_ipv6=1
ip -n ${id}r link set lan0 up
ip -n ${id}r link set wan0 up
lan=02:ff:00:00:00:01 wan=02:ff:00:00:00:02
host ${id}c c0 10.1.0.2 10.1.0.1 $lan
host ${id}s s0 10.2.0.2 10.2.0.1 $wan
mac() { ip netns exec "$1" cat "/sys/class/net/$2/address"; }

cat > "$work/shunt.yaml" << EOF
runtime: {workers: [0]}
ports:
  - {name: lan, device: "net_af_packet0,iface=lan0", mac: "$lan", addresses: [10.1.0.1/24]}
  - {name: wan, device: "net_af_packet1,iface=wan0", mac: "$wan", addresses: [10.2.0.1/24]}
neighbours:
  - {port: lan, address: 10.1.0.2, mac: "$(mac ${id}c c0)"}
  - {port: wan, address: 10.2.0.2, mac: "$(mac ${id}s s0)"}
ruleset: $work/ruleset.nft
control: {socket: $work/control.sock, nft: $work/nft.sock}
EOF
echo '# no rules' > "$work/ruleset.nft"
ctl() { "$build/app/shuntctl/shuntctl" -s "$work/control.sock" "$@"; }

check "--check takes the config" "$build/app/shuntd/shuntd" -c "$work/shunt.yaml" --check

# READY=1 comes as a datagram.
ip netns exec ${id}r python3 -c '
import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1] + "/notify")
s.settimeout(60)
os.environ["NOTIFY_SOCKET"] = sys.argv[1] + "/notify"
with open(sys.argv[1] + "/log", "w") as log:
    p = subprocess.Popen(sys.argv[2:], stdout=log, stderr=log)
print(p.pid)
try:
    ok = s.recv(100) == b"READY=1"
except socket.timeout:
    ok = False
sys.exit(0 if ok else 1)
' "$work" "$build/app/shuntd/shuntd" -c "$work/shunt.yaml" > "$work/pid"
ready=$?
daemon=$(cat "$work/pid")
check "shuntd says READY=1" test $ready = 0
[ $ready = 0 ] || { cat "$work/log"; exit 1; }

check "ping through the router" ip netns exec ${id}c ping -c 5 -i 0.2 -W 5 10.2.0.2
check "time exceeded comes from the router" \
	bash -c "ip netns exec ${id}c ping -c 1 -t 1 -W 5 10.2.0.2 | grep -q 'From 10.1.0.1.*Time to live exceeded'"
check "the router itself does not answer" \
	bash -c "! ip netns exec ${id}c ping -c 1 -W 1 10.1.0.1"

head -c 20000000 /dev/urandom > "$work/file"
(cd "$work" && exec ip netns exec ${id}s python3 -m http.server --bind 10.2.0.2 8000) > /dev/null 2>&1 &
check "a file of 20 MB arrives intact" \
	bash -c "ip netns exec ${id}c curl -sf --retry 20 --retry-connrefused --retry-delay 1 --max-time 120 http://10.2.0.2:8000/file | cmp - '$work/file'"
ip netns exec ${id}s iperf3 -s -1 -D
check "iperf3, UDP" \
	bash -c "ip netns exec ${id}c iperf3 -c 10.2.0.2 -u -b 20M -l 1000 -t 2"

check "the balance is zero" python3 -c '
import json, subprocess, sys
p = json.loads(subprocess.run(sys.argv[1:], capture_output=True, check=True).stdout)["packets"]
print(p)
left = (p["received"] + p["generated"] + p["split"] + p["from_twins"] - p["transmitted"]
        - p["punted"] - p["held"] - p["merged"] - p["dropped"])
sys.exit(0 if left == 0 and p["received"] > 10000 else 1)
' "$build/app/shuntctl/shuntctl" -s "$work/control.sock" -j show status
check "drops are named: local, ttl" bash -c "
	out=\$('$build/app/shuntctl/shuntctl' -s '$work/control.sock' show drops); echo \"\$out\"
	grep -q '^local ' <<< \"\$out\" && grep -q '^ttl ' <<< \"\$out\""
check "ports, routes, neighbours, workers, graph are shown" bash -c "
	for what in ports routes neighbours workers graph counters; do
		'$build/app/shuntctl/shuntctl' -s '$work/control.sock' show \$what || exit 1
	done"
check "what is not built is refused" bash -c "
	! '$build/app/shuntctl/shuntctl' -s '$work/control.sock' show tunnels"

kill "$daemon"
# Its parent has gone, so wait for the socket to go.
for _ in $(seq 1 100); do
	[ -e "/proc/$daemon" ] || break
	read -rt 0.1 <> <(:)
done
check "shuntd ends when told" test ! -e "/proc/$daemon"
check "it gave the interface's offloads back" bash -c \
	"ip netns exec ${id}r ethtool -k lan0 | grep -q 'tx-checksumming: on'"
daemon=

echo 'table ip t { chain c { meta skuid 0 drop; }; }' > "$work/ruleset.nft"
check "a rule that is not evaluated is refused, not ignored" bash -c \
	"! '$build/app/shuntd/shuntd' -c '$work/shunt.yaml' --check"
echo 'table ip t { chain c { ip ttl 1 drop; }; }' > "$work/ruleset.nft"
check "a ruleset is taken" \
	"$build/app/shuntd/shuntd" -c "$work/shunt.yaml" --check
[ $failed = 0 ] || cat "$work/log"
exit $failed
