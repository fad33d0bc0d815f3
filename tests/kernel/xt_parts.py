# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules and packets for test_xt.py.

A part has rules for iptables-restore (`iptables`, `ip6tables`) and for xt_rule
(`raw`, arguments of the program), and packets. Rules of chains PROVE... must match
some of the packets and not others.
"""
import struct

from scapy.all import (ICMP, IP, TCP, UDP, Ether, ICMPv6DestUnreach, ICMPv6EchoRequest, IPv6, Raw)

from netlab import host_mac, port_mac

TOPO = {"ports": [{"name": "lan", "addrs": ["10.0.0.1/24", "2001:db8:1::1/64"]},
                  {"name": "wan", "addrs": ["192.0.2.1/24", "2001:db8:2::1/64"], "mtu": 1400}],
        "auto_neigh": 60}

IPV4, IPV6 = "10.0.0.{}", "2001:db8:1::{:x}"
FAR4, FAR6 = "192.0.2.9", "2001:db8:2::9"


def frame(port, packet):
    """A packet as it arrives at a port of the router."""
    src = packet[0].src
    ether = Ether(dst=port_mac(1 if port == "lan" else 2), src=host_mac(src))
    return port, bytes(ether / packet)


def out(host, l4, dst=FAR4, **fields):
    """From a host behind lan to the far one."""
    return frame("lan", IP(src=IPV4.format(host), dst=dst, id=7, **fields) / l4)


def out6(host, l4, dst=FAR6, **fields):
    return frame("lan", IPv6(src=IPV6.format(host), dst=dst, **fields) / l4)


def back(host, l4, src=FAR4, dst=None, **fields):
    return frame("wan", IP(src=src, dst=dst or IPV4.format(host), id=8, **fields) / l4)


def back6(host, l4, src=FAR6, dst=None, **fields):
    return frame("wan", IPv6(src=src, dst=dst or IPV6.format(host), **fields) / l4)


def tcp(sport, dport, flags="S", seq=1000, ack=0, options=(), data=b""):
    return TCP(sport=sport, dport=dport, flags=flags, seq=seq, ack=ack, window=8192,
               options=list(options)) / data


def udp(sport, dport, data=b"x"):
    return UDP(sport=sport, dport=dport) / Raw(data)


def chain(table, hook, lines, proved="PROVE", extra=""):
    """A table with one chain of rules that are proved, reached from a hook."""
    rules = "\n".join(f"-A {proved} {line}" for line in lines)
    return (f"*{table}\n:{hook} ACCEPT [0:0]\n:{proved} - [0:0]\n{extra}"
            f"-A {hook} -j {proved}\n{rules}\nCOMMIT\n")


def pack(form, *values):
    """A struct, padded to 8 bytes as iptables sends it."""
    data = struct.pack("=" + form, *values)
    return data.ljust((len(data) + 7) // 8 * 8, b"\0").hex() or "-"


def xt(kind, name, revision, form="", *values):
    return f"{kind} {name} {revision} {pack(form, *values)}"


def raw(proto, *extensions, family="ip", table="filter", where="PROVE"):
    return f"{family} {table} {where} {proto} " + " ".join(extensions)


def conntrack_info(revision, match, invert=0, state=0, status=0, l4proto=0, ports=(0, 0, 0, 0),
                   orig_src=None):
    """struct xt_conntrack_mtinfo1, 2, 3."""
    addresses = [b"\0" * 16] * 8
    if orig_src:
        addresses[0] = bytes(orig_src).ljust(16, b"\0")
        addresses[1] = b"\xff" * 4 + b"\0" * 12
    data = b"".join(addresses) + struct.pack("=IIH", 0, 0, l4proto)
    data += struct.pack("=4H" if revision == 3 else ">4H", *ports)
    data += struct.pack("=HH", match, invert)
    data += struct.pack("=BB" if revision == 1 else "=HH", state, status)
    if revision == 3:
        data += struct.pack("=4H", *ports)
    data += b"\0" * (-len(data) % 4)
    return f"match conntrack {revision} {data.ljust((len(data) + 7) // 8 * 8, bytes(1)).hex()}"


SYN, SYNACK, ACK = "S", "SA", "A"
MSS = (("MSS", 1460),)

FLAGS = [out(10, tcp(1, 80, flags, ack=1, options=options))
         for flags in ("S", "SA", "A", "R", "F", "PA", "", "FSRPAU")
         for options in ((), MSS, (("SAckOK", b""), ("NOP", None), ("NOP", None)))]
PORTS = ([out(11, tcp(s, d)) for s in (1, 79, 80, 1023, 1024, 65535) for d in (22, 53, 80, 1001)]
         + [out(11, udp(s, d)) for s in (1, 53, 2000) for d in (53, 67, 1001)])
LITE = [frame("lan", IP(src="10.0.0.12", dst=FAR4, proto=136, id=7)
              / Raw(struct.pack(">HHHH", s, d, 0, 0) + b"data")) for s in (53, 54) for d in (5, 6)]
# Too short for the header, and fragments.
CUT = [frame("lan", IP(src="10.0.0.13", dst=FAR4, proto=p, id=7) / Raw(b"\0" * n))
       for p in (6, 17, 1) for n in (0, 3, 4, 7, 8, 19, 20)]

HANDSHAKE = [
    out(20, tcp(1000, 80, "S", 100)), back(20, tcp(80, 1000, "SA", 500, 101)),
    out(20, tcp(1000, 80, "A", 101, 501)), out(20, tcp(1000, 80, "PA", 101, 501, data=b"hello")),
    back(20, tcp(80, 1000, "A", 501, 106)),
    out(21, tcp(1001, 80, "SA", 1, 1)), out(21, tcp(1002, 80, "R", 1, 1)),
    out(22, udp(2000, 53)), back(22, udp(53, 2000)), out(22, udp(2000, 53)),
    out(22, udp(2001, 54)),
    back(22, ICMP(type=3, code=3) / IP(src="10.0.0.22", dst=FAR4, id=7) / UDP(sport=2001, dport=54)),
    out(23, ICMP(type=8, id=5, seq=1) / b"ping"), back(23, ICMP(type=0, id=5, seq=1) / b"ping"),
    back(23, ICMP(type=0, id=6, seq=1) / b"stray"),
    out(24, udp(2002, 4789)), back(24, udp(4789, 2002)),
]

CONNTRACK = ["-m conntrack --ctstate NEW", "-m conntrack --ctstate ESTABLISHED",
             "-m conntrack --ctstate RELATED", "-m conntrack --ctstate INVALID",
             "-m conntrack --ctstate UNTRACKED", "-m conntrack ! --ctstate NEW,ESTABLISHED",
             "-m state --state RELATED,ESTABLISHED", "-m state ! --state UNTRACKED",
             "-m conntrack --ctproto tcp", "-m conntrack ! --ctproto tcp",
             "-m conntrack --ctorigsrc 10.0.0.20", "-m conntrack ! --ctorigsrc 10.0.0.20",
             "-m conntrack --ctorigsrc 10.0.0.20/30", "-m conntrack --ctreplsrc 192.0.2.9",
             "-m conntrack --ctrepldst 10.0.0.22", "-m conntrack --ctorigdst 192.0.2.0/24",
             "-m conntrack --ctorigsrcport 1000:1001", "-m conntrack ! --ctorigdstport 80",
             "-m conntrack --ctreplsrcport 53", "-m conntrack --ctrepldstport 2000:65535",
             "-m conntrack --ctdir ORIGINAL", "-m conntrack --ctdir REPLY",
             "-m conntrack --ctstatus SEEN_REPLY", "-m conntrack --ctstatus CONFIRMED",
             "-m conntrack ! --ctstatus ASSURED,SEEN_REPLY",
             # Before it is confirmed Linux has no life of it.
             "-m conntrack --ctstate ESTABLISHED --ctexpire 25:35",
             "-m conntrack --ctstate ESTABLISHED ! --ctexpire 0:200"]

PARTS = [
    {"name": "ports", "packets": PORTS + LITE + CUT, "iptables": chain("filter", "FORWARD", [
        "-p tcp -m multiport --dports 22,80,1000:1002", "-p tcp -m multiport --sports 80,1024:65535",
        "-p tcp -m multiport ! --ports 22,80", "-p udp -m multiport --ports 53:60,67",
        "-p tcp -m tcp --sport 80:1023 ! --dport 53"]),
     # The next one drops what is too short for its header.
     "raw": [raw(136, xt("match", "udplite", 0, "HHHHB", 53, 53, 0, 65535, 0)),
             raw(6, xt("match", "tcp", 0, "HHHHBBBB", 80, 1023, 0, 65535, 0, 0, 0, 0)),
             raw(6, xt("match", "tcp", 0, "HHHHBBBB", 80, 1023, 53, 80, 0, 0, 0, 3)),
             raw(17, xt("match", "udp", 0, "HHHHB", 0, 65535, 53, 66, 0)),
             raw(17, xt("match", "udp", 0, "HHHHB", 53, 53, 53, 66, 3))]},
    {"name": "flags", "packets": FLAGS, "iptables": chain("filter", "FORWARD", [
        "-p tcp -m tcp --tcp-option 2", "-p tcp -m tcp ! --tcp-option 4"]),
     "raw": [raw(6, xt("match", "tcp", 0, "HHHHBBBB", 0, 65535, 0, 65535, 0, mask, value, inv))
             for mask, value, inv in ((0x3f, 2, 0), (0x17, 0x10, 4), (0x08, 8, 0), (0x06, 2, 4))]
     + [raw(6, xt("match", "tcp", 0, "HHHHBBBB", 0, 65535, 0, 65535, 2, 2, 2, 8))]},
    {"name": "icmp", "packets": [out(14, ICMP(type=t, code=c)) for t in (8, 3, 5, 13)
                                 for c in (0, 1, 4)] + CUT + PORTS[:2],
     "iptables": chain("filter", "FORWARD", [
         "-p icmp -m icmp --icmp-type echo-request", "-p icmp -m icmp ! --icmp-type 3/1",
         "-p icmp -m icmp --icmp-type any", "-p icmp -m icmp --icmp-type 3"])},
    {"name": "marks", "packets": PORTS, "iptables":
     "*mangle\n:PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:PROVE - [0:0]\n"
       "-A FORWARD -j PROVE\n"
       "-A PREROUTING -p tcp --dport 80 -j MARK --set-mark 0x15\n"
       "-A PREROUTING -p tcp --dport 22 -j MARK --set-xmark 0x3/0xff\n"
       "-A PREROUTING -p tcp --dport 22 -j MARK --or-mark 0x26\n"
       "-A PREROUTING -p udp -j CONNMARK --set-xmark 0x25/0xff\n"
       "-A PREROUTING -p tcp -j CONNMARK --save-mark --nfmask 0xf --ctmask 0xf\n"
       "-A PREROUTING -p udp --sport 53 -j CONNMARK --restore-mark\n"
       "-A PREROUTING -p udp --sport 1 -j CONNMARK --save-mark --left-shift-mark 2\n"
       "-A PROVE -m mark --mark 0x5/0xf\n-A PROVE -m mark ! --mark 0x15\n"
       "-A PROVE -m connmark --mark 0x5/0xf\n-A PROVE -m connmark ! --mark 0x25\nCOMMIT\n",
     "raw": [raw("-", xt("match", "mark", 1, "IIB", 5, 0xf, 0), table="mangle"),
             raw("-", xt("match", "mark", 1, "IIB", 5, 0xf, 1), table="mangle"),
             raw("-", xt("match", "connmark", 1, "IIB", 5, 0xf, 1), table="mangle")]},
    {"name": "limits", "packets": [out(15, udp(9, d)) for d in (1, 1, 1, 2, 1, 1, 2, 1)],
     "iptables": chain("filter", "FORWARD", ["-p udp --dport 1 -m limit --limit 1/hour --limit-burst 2"]),
     "raw": [raw("-", xt("match", "limit", 0, "IIQIIIIQ", 36000000, 3, 0, 0, 0, 0, 0, 0)),
             raw("-", xt("match", "comment", 0, "256s", b"said"),
                 xt("match", "limit", 0, "IIQIIIIQ", 36000000, 5, 0, 0, 0, 0, 0, 0))]},
    {"name": "conntrack", "packets": HANDSHAKE, "iptables":
     "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp --dport 4789 -j CT --notrack\n"
     "-A PREROUTING -p udp --sport 4789 -j NOTRACK\nCOMMIT\n"
     + chain("filter", "FORWARD", CONNTRACK),
     "raw": [raw("-", conntrack_info(1, 1, state=2)), raw("-", conntrack_info(2, 1, 1, state=10)),
             raw("-", conntrack_info(3, 1 << 6, status=2)),
             raw("-", conntrack_info(1, 2 | 1 << 9, l4proto=6, ports=(0, 80, 0, 0))),
             raw("-", conntrack_info(2, 4, 4, orig_src=(10, 0, 0, 20))),
             raw("-", xt("match", "state", 0, "I", 2 | 4)),
             raw("-", xt("match", "state", 0, "I", 1 << 6)),
             raw("-", xt("match", "state", 0, "I", 1))]},
    {"name": "notrack-raw", "packets": [out(25, udp(2003, d)) for d in (1, 2)], "iptables":
     "*raw\n:PREROUTING ACCEPT [0:0]\n:one - [0:0]\n-A PREROUTING -p udp --dport 1 -j one\nCOMMIT\n"
     + chain("filter", "FORWARD", ["-m conntrack --ctstate UNTRACKED"]),
     "raw": [raw("-", xt("target", "NOTRACK", 0), table="raw", where="one")]},
    {"name": "addrtype", "packets": [
        out(26, udp(1, 2)), out(26, udp(1, 2), dst="192.0.2.255"), out(26, udp(1, 2), dst="10.0.0.255"),
        back(26, udp(1, 2)), out(26, udp(1, 2), dst="10.0.0.1"), out(26, udp(1, 2), dst="192.0.2.1")],
     "iptables": chain("mangle", "PREROUTING", [
         "-m addrtype --dst-type LOCAL", "-m addrtype ! --dst-type LOCAL",
         "-m addrtype --dst-type BROADCAST", "-m addrtype --dst-type UNICAST",
         "-m addrtype --dst-type LOCAL --limit-iface-in",
         "-m addrtype ! --dst-type LOCAL --src-type UNICAST"])
     + "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n",
     "raw": [raw("-", xt("match", "addrtype", 0, "HHII", 0, 4, 0, 0), table="mangle"),
             raw("-", xt("match", "addrtype", 0, "HHII", 2, 4, 0, 1), table="mangle")]},
    {"name": "reject", "packets": [out(27, udp(1, d)) for d in range(1, 9)]
     + [out(27, tcp(1, 9, "S")), out(27, tcp(1, 9, "A", ack=77)), out(27, tcp(1, 9, "R"))],
     "iptables": chain("filter", "FORWARD", [
         f"-p udp --dport {n + 1} -j REJECT --reject-with {what}" for n, what in enumerate((
             "icmp-net-unreachable", "icmp-host-unreachable", "icmp-proto-unreachable",
             "icmp-port-unreachable", "icmp-net-prohibited", "icmp-host-prohibited",
             "icmp-admin-prohibited"))]
         + ["-p tcp -j REJECT --reject-with tcp-reset"])},
    {"name": "log", "packets": PORTS[:4] + PORTS[-3:], "iptables": chain("filter", "FORWARD", [
        "-p tcp -j LOG --log-prefix \"a \" --log-tcp-options", "-p udp -j LOG", "-p udp"])},
    {"name": "tcpmss", "packets": [
        out(28, tcp(1, d, flags, options=options, data=data)) for d in (80, 81)
        for flags in ("S", "A") for options in ((), MSS, (("NOP", None), ("MSS", 1200)),
                                                (("SAckOK", b""), ("Timestamp", (1, 0))))
        for data in (b"", b"odd")],
     "iptables": chain("mangle", "FORWARD", [
         "-p tcp --dport 80 -j TCPMSS --clamp-mss-to-pmtu", "-p tcp --dport 81 -j TCPMSS --set-mss 1300"])},
    {"name": "nat", "packets": [
        out(30, udp(3000, 1)), back(30, udp(1, 3000), dst="192.0.2.1"),
        out(30, udp(3001, 2)), back(30, udp(2, 3001), dst="192.0.2.50"),
        out(31, udp(3001, 3)), back(31, udp(3, 5000), dst="192.0.2.51"),
        out(31, udp(3002, 4)), out(31, tcp(3003, 5)), out(31, udp(3004, 6)), out(31, udp(3005, 7)),
        out(32, udp(3006, 8)), back(32, udp(8, 3006), dst="192.0.2.52"),
        back(33, udp(40, 8080), dst="192.0.2.1"), out(33, udp(80, 40), dst=FAR4),
        back(33, udp(41, 8081), dst="192.0.2.1"), back(33, udp(42, 8082), dst="192.0.2.1")],
     "iptables": "*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:PROVE1 - [0:0]\n"
     ":PROVE2 - [0:0]\n-A PREROUTING -j PROVE1\n-A POSTROUTING -j PROVE2\n"
     "-A PROVE2 -p udp --dport 1 -j MASQUERADE\n"
     "-A PROVE2 -p udp --dport 2 -j SNAT --to-source 192.0.2.50\n"
     "-A PROVE2 -p udp --dport 3 -j SNAT --to-source 192.0.2.51:5000\n"
     "-A PROVE2 -p udp --dport 4 -j SNAT --to-source 192.0.2.40-192.0.2.49\n"
     "-A PROVE2 -p tcp --dport 5 -j MASQUERADE --to-ports 6000\n"
     "-A PROVE2 -p udp --dport 6 -j SNAT --to-source 192.0.2.40-192.0.2.49 --persistent\n"
     "-A PROVE1 -i wan -p udp --dport 8080 -j DNAT --to-destination 10.0.0.33:80\n"
     "-A PROVE1 -i wan -p udp --dport 8081 -j REDIRECT --to-ports 81\nCOMMIT\n"
     "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:PROVEIN - [0:0]\n-A INPUT -j PROVEIN\n"
     "-A PROVEIN -p udp --dport 81\n-A PROVEIN -m conntrack --ctstate DNAT\n"
     "-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT\nCOMMIT\n",
     "raw": [raw(17, xt("match", "udp", 0, "HHHHB", 0, 65535, 7, 7, 0),
                 xt("target", "SNAT", 1, "I16s16sHH", 1, bytes((192, 0, 2, 52)),
                    bytes((192, 0, 2, 52)), 0, 0), table="nat", where="PROVE2"),
             raw(17, xt("match", "udp", 0, "HHHHB", 0, 65535, 8, 8, 0),
                 xt("target", "SNAT", 0, "II4s4sHH", 1, 1, bytes((192, 0, 2, 52)),
                    bytes((192, 0, 2, 52)), 0, 0), table="nat", where="PROVE2"),
             raw(17, xt("match", "udp", 0, "HHHHB", 0, 65535, 8082, 8082, 0),
                 xt("target", "DNAT", 0, "II4s4sHH", 1, 1, bytes((10, 0, 0, 34)),
                    bytes((10, 0, 0, 34)), 0, 0), table="nat", where="PROVE1")]},
    {"name": "six", "packets": [
        out6(40, tcp(1, 80, options=MSS)), out6(40, tcp(1, 81)), out6(40, udp(1, 53)),
        back6(40, tcp(80, 1, "SA", ack=1001)), out6(40, udp(1, 54)), out6(40, tcp(5, 99)),
        out6(40, ICMPv6EchoRequest(id=3)), out6(41, udp(1, 55)),
        back6(41, ICMPv6DestUnreach(code=4) / IPv6(src=IPV6.format(41), dst=FAR6)
              / UDP(sport=1, dport=55)),
        out6(42, udp(7, 60)), back6(42, udp(60, 7), dst="2001:db8:2::1"),
        back6(42, udp(9, 8080), dst="2001:db8:2::1"), out6(42, udp(7, 61)),
        out6(42, udp(1, 2), dst="2001:db8:2::1")],
     "ip6tables":
     "*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
     "-A POSTROUTING -p udp --dport 60 -j MASQUERADE\n"
     "-A POSTROUTING -p udp --dport 61 -j SNAT --to-source [2001:db8:2::50]:700\n"
     "-A PREROUTING -i wan -p udp --dport 8080 -j DNAT --to-destination [2001:db8:1::43]:80\nCOMMIT\n"
     "*mangle\n:PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:PROVEM - [0:0]\n"
     "-A PREROUTING -j PROVEM\n-A PROVEM -m addrtype --dst-type LOCAL\n"
     "-A PROVEM -m addrtype ! --dst-type LOCAL\n-A PROVEM -m addrtype --dst-type UNICAST ! --src-type LOCAL -p udp\n"
     "-A FORWARD -p tcp -j TCPMSS --clamp-mss-to-pmtu\nCOMMIT\n"
     + chain("filter", "FORWARD", [
         "-p icmpv6 -m icmp6 --icmpv6-type echo-request", "-p icmpv6 -m icmp6 ! --icmpv6-type 1/4",
         "-m conntrack --ctstate RELATED", "-m conntrack --ctorigsrc 2001:db8:1::28/127",
         "-m conntrack ! --ctstate NEW", "-p tcp -m multiport --dports 80:90",
         "-p udp --dport 54 -j REJECT", "-p tcp --dport 99 -j REJECT --reject-with tcp-reset",
         "-p tcp --dport 81 -j REJECT --reject-with icmp6-adm-prohibited"],
         extra=":INPUT DROP [0:0]\n")},
]

# Rules that Linux refuses, or some of them does: the errno must be the same.
REFUSED = [
    raw("-", xt("match", "nothere", 0, "I", 0), where="FORWARD"),
    raw("-", xt("match", "conntrack", 9, "I", 0), where="FORWARD"),
    raw("-", xt("target", "MASQUERADE", 7, "I", 0), where="FORWARD"),
    raw("-", xt("target", "mark", 1, "IIB", 0, 0, 0), where="FORWARD"),
    raw("-", xt("target", "ERROR", 0, "Q", 0), where="FORWARD"),
    raw("-", xt("target", "standard", 0, "Q", 0), where="FORWARD"),
    raw("-", xt("match", "mark", 1, "I", 0), where="FORWARD"),
    raw("-", xt("match", "mark", 1, "QQQ", 0, 0, 0), where="FORWARD"),
    raw("-", "match mark 1 000000000000000000000000", where="FORWARD"),
    raw("-", "match mark 1 0000000000000000000000", where="FORWARD"),
    raw("-", xt("match", "tcp", 0, "QQ", 0, 0), where="FORWARD"),
    raw("!6", xt("match", "tcp", 0, "QQ", 0, 0), where="FORWARD"),
    raw(17, xt("match", "tcp", 0, "QQ", 0, 0), where="FORWARD"),
    raw(6, xt("match", "tcp", 0, "HHHHBBBB", 0, 0, 0, 0, 0, 0, 0, 16), where="FORWARD"),
    raw(17, xt("match", "udp", 0, "HHHHB", 0, 0, 0, 0, 4), where="FORWARD"),
    raw(1, xt("match", "icmp", 0, "BBBB", 1, 0, 255, 2), where="FORWARD"),
    raw(58, xt("match", "icmp6", 0, "BBBB", 1, 0, 255, 0), where="FORWARD"),
    raw(58, xt("match", "icmp6", 0, "BBBB", 1, 0, 255, 0), where="FORWARD", family="ip6"),
    raw(58, xt("match", "icmp6", 0, "BBBB", 1, 0, 255, 2), where="FORWARD", family="ip6"),
    raw(6, xt("match", "multiport", 1, "BB15H15BB", 3, 1, *[0] * 15, *[0] * 15, 0), where="FORWARD"),
    raw(6, xt("match", "multiport", 1, "BB15H15BB", 1, 16, *[0] * 15, *[0] * 15, 0), where="FORWARD"),
    raw(1, xt("match", "multiport", 1, "BB15H15BB", 1, 1, *[0] * 15, *[0] * 15, 0), where="FORWARD"),
    raw("-", xt("match", "multiport", 1, "BB15H15BB", 1, 1, *[0] * 15, *[0] * 15, 0), where="FORWARD"),
    raw(6, xt("match", "multiport", 0, "BB15H", 1, 1, *[0] * 15), where="FORWARD"),
    raw("-", xt("match", "limit", 0, "IIQIIIIQ", 10000, 0, 0, 0, 0, 0, 0, 0), where="FORWARD"),
    raw("-", xt("match", "limit", 0, "IIQIIIIQ", 0xffffffff, 2, 0, 0, 0, 0, 0, 0), where="FORWARD"),
    raw("-", xt("match", "limit", 0, "IIQIIIIQ", 864000000, 3, 0, 0, 0, 0, 0, 0), where="FORWARD"),
    raw("-", xt("match", "limit", 0, "IIQIIIIQ", 0, 5, 0, 0, 0, 0, 0, 0), where="FORWARD"),
    raw("-", xt("match", "addrtype", 1, "HHI", 4, 4, 12), where="FORWARD"),
    raw("-", xt("match", "addrtype", 1, "HHI", 4, 4, 8), where="FORWARD"),
    raw("-", xt("match", "addrtype", 1, "HHI", 0, 8, 0), where="FORWARD", family="ip6"),
    raw("-", xt("match", "addrtype", 1, "HHI", 0, 256, 0), where="FORWARD", family="ip6"),
    raw("-", xt("match", "addrtype", 1, "HHI", 0, 64, 0), where="FORWARD", family="ip6"),
    raw("-", xt("target", "LOG", 0, "BB30s", 8, 0, b""), where="FORWARD"),
    raw("-", xt("target", "LOG", 0, "BB30s", 7, 0x2f, b"x" * 30), where="FORWARD"),
    raw("-", xt("target", "LOG", 0, "BB30s", 7, 0xff, b"x" * 29), where="FORWARD"),
    raw("-", xt("target", "REJECT", 0, "I", 4), where="FORWARD"),
    raw("-", xt("target", "REJECT", 0, "I", 7), where="FORWARD"),
    raw("!6", xt("target", "REJECT", 0, "I", 7), where="FORWARD"),
    raw(6, xt("target", "REJECT", 0, "I", 7), where="FORWARD"),
    raw("-", xt("target", "REJECT", 0, "I", 99), where="FORWARD"),
    raw("-", xt("target", "REJECT", 0, "I", 6), where="FORWARD", family="ip6"),
    raw("-", xt("target", "REJECT", 0, "I", 5), where="FORWARD", family="ip6"),
    raw("-", xt("target", "REJECT", 0, "I", 1), where="POSTROUTING", table="nat"),
    raw("-", xt("target", "MASQUERADE", 0, "II4s4sHH", 1, 0, b"", b"", 0, 0), where="FORWARD"),
    raw("-", xt("target", "MASQUERADE", 0, "II4s4sHH", 1, 0, b"", b"", 0, 0), where="own"),
    raw("-", xt("target", "MASQUERADE", 0, "II4s4sHH", 0, 0, b"", b"", 0, 0), where="POSTROUTING", table="nat"),
    raw("-", xt("target", "MASQUERADE", 0, "II4s4sHH", 1, 1, b"", b"", 0, 0), where="POSTROUTING", table="nat"),
    raw("-", xt("target", "MASQUERADE", 0, "II4s4sHH", 1, 0, b"", b"", 0, 0), where="POSTROUTING", table="nat"),
    raw("-", xt("target", "DNAT", 2, "I16s16sHHH", 1, b"", b"", 0, 0, 0), where="POSTROUTING", table="nat"),
    raw("-", xt("target", "CT", 2, "HHII16s32sQ", 0x20, 0, 0, 0, b"", b"", 0), where="PREROUTING", table="raw"),
    raw("-", xt("target", "CT", 2, "HHII16s32sQ", 1, 0, 0, 0, b"", b"", 0), where="FORWARD"),
    raw("-", xt("target", "CT", 1, "HHII16s32sQ", 1, 0, 0, 0, b"", b"", 0), where="PREROUTING", table="raw"),
    raw("-", xt("target", "CT", 0, "HHII16sQ", 1, 0, 0, 0, b"", 0), where="PREROUTING", table="raw"),
    raw("-", xt("target", "CT", 0, "HHII16sQ", 2, 0, 0, 0, b"", 0), where="PREROUTING", table="raw"),
    raw(6, xt("target", "TCPMSS", 0, "H", 1400), where="FORWARD"),
    raw("-", xt("target", "TCPMSS", 0, "H", 1400), where="FORWARD"),
    raw(6, xt("target", "TCPMSS", 0, "H", 0xffff), where="PREROUTING", table="raw"),
    raw("65536", xt("match", "mark", 1, "IIB", 0, 0, 0), where="FORWARD"),
]
