# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands and rulesets of iptables, for test_iptables.py."""

# Sessions: a command a line.
SESSIONS = [
    """iptables -N mine
iptables -N mine
iptables -L -v -n
iptables -S
iptables -A FORWARD -j mine
iptables -A mine -s 10.0.0.0/8 -d 192.168.1.1 -p tcp -m tcp --dport 22 -j ACCEPT
iptables -A mine -p udp -m udp --sport 1024:65535 ! --dport 53 -j DROP
iptables -A mine ! -i lan -o wan+ -j RETURN
iptables -I mine 2 -p icmp -m icmp --icmp-type echo-request -j ACCEPT
iptables -I mine -m comment --comment "first of all" -j ACCEPT
iptables -C mine -p icmp -m icmp --icmp-type echo-request -j ACCEPT
iptables -C mine -p icmp -m icmp --icmp-type echo-reply -j ACCEPT
iptables -R mine 1 -m comment --comment "replaced" -j DROP
iptables -D mine -p icmp -m icmp --icmp-type echo-request -j ACCEPT
iptables -D mine -p icmp -m icmp --icmp-type echo-request -j ACCEPT
iptables -D mine 1
iptables -D mine 99
iptables -L mine -v -n --line-numbers
iptables -P FORWARD DROP
iptables -P INPUT ACCEPT
iptables -S FORWARD
iptables -X mine
iptables -E mine yours
iptables -Z
iptables -Z FORWARD
iptables -Z FORWARD 1
iptables -L -v
iptables -F yours
iptables -D FORWARD -j yours
iptables -X yours
iptables -X nothere
iptables -F
iptables -A nothere -j ACCEPT
iptables -A FORWARD -j nothere
iptables -t nat -L -n
iptables -t raw -S
iptables -t security -S
iptables -X
iptables -w 5 -A INPUT -j ACCEPT
iptables -t filter -F INPUT""",
    """iptables -A FORWARD -m conntrack --ctstate NEW,ESTABLISHED,RELATED -j ACCEPT
iptables -A FORWARD -m conntrack ! --ctstate INVALID,UNTRACKED -j ACCEPT
iptables -A FORWARD -m conntrack --ctstate SNAT,DNAT -j ACCEPT
iptables -A FORWARD -m conntrack --ctproto tcp --ctorigsrc 10.0.0.0/8 --ctorigdst 1.1.1.1 -j ACCEPT
iptables -A FORWARD -m conntrack --ctorigsrcport 1:5 --ctorigdstport 80 --ctrepldstport 7:9 -j ACCEPT
iptables -A FORWARD -m conntrack --ctreplsrc 10.0.0.1 --ctrepldst 1.1.0.0/16 -j ACCEPT
iptables -A FORWARD -m conntrack --ctstatus ASSURED,SEEN_REPLY --ctexpire 10:100 --ctdir REPLY -j ACCEPT
iptables -A FORWARD -m state --state NEW -j ACCEPT
iptables -A FORWARD -m state ! --state ESTABLISHED,RELATED -j DROP
iptables -A FORWARD -p tcp -m multiport --dports 22,80,1000:2000 -j ACCEPT
iptables -A FORWARD -p udp -m multiport ! --sports 53,67:68 -j ACCEPT
iptables -A FORWARD -p tcp -m multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 -j ACCEPT
iptables -A FORWARD -m multiport --ports 1 -j ACCEPT
iptables -A FORWARD ! -p tcp -m multiport --ports 1 -j ACCEPT
iptables -A FORWARD -p tcp -m tcp --tcp-flags SYN,RST,ACK SYN --tcp-option 2 -j ACCEPT
iptables -A FORWARD -p tcp -m tcp ! --tcp-option 8 --sport 1:100 -j ACCEPT
iptables -A FORWARD -p tcp --syn -j ACCEPT
iptables -A FORWARD -p icmp -m icmp --icmp-type any -j ACCEPT
iptables -A FORWARD -p icmp -m icmp ! --icmp-type host-unreachable -j ACCEPT
iptables -A FORWARD -m addrtype --src-type LOCAL -j ACCEPT
iptables -A FORWARD -m addrtype ! --dst-type BROADCAST,MULTICAST -j ACCEPT
iptables -A FORWARD -m addrtype --dst-type LOCAL --limit-iface-in -j ACCEPT
iptables -A FORWARD -m addrtype --dst-type LOCAL --limit-iface-out -j ACCEPT
iptables -A INPUT -m addrtype --dst-type LOCAL --limit-iface-out -j ACCEPT
iptables -A OUTPUT -m addrtype --dst-type LOCAL --limit-iface-in -j ACCEPT
iptables -A FORWARD -m mark --mark 0x10/0xff -j ACCEPT
iptables -A FORWARD -m mark ! --mark 7 -j ACCEPT
iptables -A FORWARD -m connmark --mark 0x10/0xff -j ACCEPT
iptables -A FORWARD -m connmark ! --mark 1 -j ACCEPT
iptables -A FORWARD -m limit --limit 10/second --limit-burst 20 -j ACCEPT
iptables -A FORWARD -m limit --limit 3/hour -j LOG --log-prefix "drop: " --log-level info --log-tcp-options
iptables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset
iptables -A FORWARD -j REJECT --reject-with tcp-reset
iptables -A FORWARD -j REJECT
iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited
iptables -A FORWARD -j REJECT --reject-with icmp-admin-prohibited
iptables -t nat -A PREROUTING -j REJECT
iptables -t mangle -A FORWARD -j REJECT
iptables -t mangle -A PREROUTING -j MARK --set-mark 0x5/0xf
iptables -t mangle -A PREROUTING -j MARK --set-xmark 0x5/0xf
iptables -t mangle -A PREROUTING -j MARK --or-mark 0x5
iptables -t mangle -A PREROUTING -j CONNMARK --save-mark
iptables -t mangle -A PREROUTING -j CONNMARK --restore-mark --mask 0xff
iptables -t mangle -A PREROUTING -j CONNMARK --set-xmark 0x1/0x3
iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1400
iptables -t mangle -A PREROUTING -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
iptables -t mangle -A PREROUTING -j MASQUERADE
iptables -t raw -A PREROUTING -p udp --dport 53 -j CT --notrack
iptables -t raw -A OUTPUT -j NOTRACK
iptables -t filter -A OUTPUT -j CT --notrack
iptables -S
iptables -t mangle -S
iptables -t raw -L -v -n""",
    """iptables -t nat -A POSTROUTING -o wan -j MASQUERADE
iptables -t nat -A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2048 --random
iptables -t nat -A POSTROUTING -j MASQUERADE --random-fully
iptables -t nat -A POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 1.1.1.1
iptables -t nat -A POSTROUTING -s 10.0.0.0/8 -p udp -j SNAT --to-source 1.1.1.1-1.1.1.9:1000-2000 --persistent
iptables -t nat -A INPUT -j SNAT --to-source 1.1.1.1
iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080
iptables -t nat -A PREROUTING -j DNAT --to-destination 10.0.0.1-10.0.0.9 --random
iptables -t nat -A OUTPUT -j DNAT --to-destination 127.0.0.1
iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 3128
iptables -t nat -A OUTPUT -p udp -j REDIRECT --to-ports 1000-2000 --random
iptables -t nat -A PREROUTING -j MASQUERADE
iptables -t nat -A POSTROUTING -j DNAT --to-destination 1.1.1.1
iptables -t nat -A FORWARD -j ACCEPT
iptables -t filter -A FORWARD -j SNAT --to-source 1.1.1.1
iptables -t nat -N own
iptables -t nat -A own -j MASQUERADE
iptables -t nat -A POSTROUTING -j own
iptables -t nat -A PREROUTING -j own
iptables -t nat -L -v -n""",
    """ip6tables -A FORWARD -s 2001:db8::/32 -d fe80::1 -p tcp -m tcp --dport 22 -j ACCEPT
ip6tables -A FORWARD -p icmpv6 -m icmp6 --icmpv6-type neighbour-solicitation -j ACCEPT
ip6tables -A FORWARD -p icmpv6 -m icmp6 ! --icmpv6-type 1/3 -j ACCEPT
ip6tables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED --ctorigsrc 2001:db8::/64 -j ACCEPT
ip6tables -A FORWARD -m addrtype --dst-type LOCAL -j ACCEPT
ip6tables -A FORWARD -m addrtype ! --src-type MULTICAST -j ACCEPT
ip6tables -A FORWARD -m addrtype --dst-type BROADCAST -j ACCEPT
ip6tables -A FORWARD -p udp -m multiport --dports 53,500:600 -j ACCEPT
ip6tables -A FORWARD -j LOG --log-prefix six
ip6tables -A FORWARD -j REJECT
ip6tables -A FORWARD -j REJECT --reject-with icmp6-policy-fail
ip6tables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset
ip6tables -t mangle -A POSTROUTING -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
ip6tables -t nat -A POSTROUTING -o wan -j MASQUERADE
ip6tables -t nat -A POSTROUTING -p tcp -j SNAT --to-source [2001:db8::1-2001:db8::9]:1000-2000
ip6tables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination [2001:db8::2]:8080
ip6tables -t nat -A PREROUTING -p tcp --dport 81 -j REDIRECT --to-ports 8080
ip6tables -t raw -A PREROUTING -j CT --notrack
ip6tables -P FORWARD DROP
ip6tables -L -v -n
ip6tables -t nat -S
ip6tables -F
ip6tables -X""",
]

DOCKER = """*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.18.0.0/16 ! -o br-0123456789ab -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER -i br-0123456789ab -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
-A DOCKER -d 127.0.0.1/32 ! -i docker0 -p udp -m udp --dport 5353 -j DNAT --to-destination 172.17.0.2:53
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -i br-0123456789ab ! -o br-0123456789ab -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -o br-0123456789ab -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
"""

LIBVIRT = """*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:LIBVIRT_PRT - [0:0]
-A POSTROUTING -j LIBVIRT_PRT
-A LIBVIRT_PRT -s 192.168.122.0/24 -d 224.0.0.0/24 -j RETURN
-A LIBVIRT_PRT -s 192.168.122.0/24 -d 255.255.255.255/32 -j RETURN
-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -p tcp -j MASQUERADE --to-ports 1024-65535
-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -p udp -j MASQUERADE --to-ports 1024-65535
-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -j MASQUERADE
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:LIBVIRT_FWI - [0:0]
:LIBVIRT_FWO - [0:0]
:LIBVIRT_FWX - [0:0]
:LIBVIRT_INP - [0:0]
:LIBVIRT_OUT - [0:0]
-A INPUT -j LIBVIRT_INP
-A FORWARD -j LIBVIRT_FWX
-A FORWARD -j LIBVIRT_FWI
-A FORWARD -j LIBVIRT_FWO
-A OUTPUT -j LIBVIRT_OUT
-A LIBVIRT_FWI -d 192.168.122.0/24 -o virbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A LIBVIRT_FWI -o virbr0 -j REJECT --reject-with icmp-port-unreachable
-A LIBVIRT_FWO -s 192.168.122.0/24 -i virbr0 -j ACCEPT
-A LIBVIRT_FWO -i virbr0 -j REJECT --reject-with icmp-port-unreachable
-A LIBVIRT_FWX -i virbr0 -o virbr0 -j ACCEPT
-A LIBVIRT_INP -i virbr0 -p udp -m udp --dport 53 -j ACCEPT
-A LIBVIRT_INP -i virbr0 -p tcp -m tcp --dport 53 -j ACCEPT
-A LIBVIRT_INP -i virbr0 -p udp -m udp --dport 67 -j ACCEPT
-A LIBVIRT_INP -i virbr0 -p tcp -m tcp --dport 67 -j ACCEPT
-A LIBVIRT_OUT -o virbr0 -p udp -m udp --dport 53 -j ACCEPT
-A LIBVIRT_OUT -o virbr0 -p udp -m udp --dport 68 -j ACCEPT
COMMIT
"""

LIBVIRT6 = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:LIBVIRT_FWI - [0:0]
:LIBVIRT_FWO - [0:0]
-A FORWARD -j LIBVIRT_FWI
-A FORWARD -j LIBVIRT_FWO
-A LIBVIRT_FWI -d 2001:db8:1::/64 -o virbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A LIBVIRT_FWI -o virbr0 -j REJECT --reject-with icmp6-port-unreachable
-A LIBVIRT_FWO -s 2001:db8:1::/64 -i virbr0 -j ACCEPT
-A LIBVIRT_FWO -i virbr0 -j REJECT --reject-with icmp6-port-unreachable
COMMIT
"""

# A router's own, with counters that are restored.
GATEWAY = """*raw
:PREROUTING ACCEPT [5:500]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 4789 -j CT --notrack
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [7:700]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -j CONNMARK --restore-mark
-A PREROUTING -m mark ! --mark 0 -j ACCEPT
-A PREROUTING -i lan -m conntrack --ctstate NEW -j MARK --set-mark 1
-A PREROUTING -j CONNMARK --save-mark
-A FORWARD -o wan -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
*filter
:INPUT DROP [1:60]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:logdrop - [0:0]
[10:1000] -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
[0:0] -A INPUT -i lo -j ACCEPT
[3:180] -A INPUT -p icmp -m icmp --icmp-type 8 -m limit --limit 5/second -j ACCEPT
[0:0] -A INPUT -p tcp -m multiport --dports 22,80,443 -m comment --comment "services; \\"quoted\\"" -j ACCEPT
[0:0] -A INPUT -j logdrop
[0:0] -A FORWARD -m conntrack --ctstate INVALID -j DROP
[0:0] -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT
[0:0] -A FORWARD -i lan -o wan -j ACCEPT
[0:0] -A FORWARD -j logdrop
[0:0] -A logdrop -m limit --limit 6/minute --limit-burst 10 -j LOG --log-prefix "fw: " --log-level debug
[0:0] -A logdrop -p tcp -j REJECT --reject-with tcp-reset
[0:0] -A logdrop -j REJECT --reject-with icmp-admin-prohibited
COMMIT
"""

RULESETS = [
    ("docker", "iptables", DOCKER),
    ("libvirt", "iptables", LIBVIRT),
    ("libvirt6", "ip6tables", LIBVIRT6),
    ("gateway", "iptables", GATEWAY),
]
