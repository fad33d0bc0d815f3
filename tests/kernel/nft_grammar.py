# SPDX-License-Identifier: GPL-2.0-or-later
"""Random nft commands: a grammar over small pools of names."""
import nft_side

DRY = 1 << 30

FAMILIES = ["ip", "ip6", "inet", "inet", "ip", "netdev", "arp"]
TYPES = ["ipv4_addr", "inet_service", "ipv6_addr", "ifname", "mark", "inet_proto",
         "ipv4_addr . inet_service", "ether_addr"]
HOOKS = ["prerouting", "input", "forward", "output", "postrouting", "ingress"]
PRIORITIES = ["0", "-300", "filter", "100", "-150", "dstnat", "srcnat", "7"]
OBJECTS = ["counter", "quota", "limit"]


class Grammar:
    """Draws commands; all randomness is the given one's."""

    def __init__(self, rng):
        self.rng = rng

    def pick(self, *choices):
        return self.rng.choice(choices)

    def chance(self, percent):
        return self.rng.randrange(100) < percent

    # --- names

    def table(self):
        return f"{self.rng.choice(FAMILIES[:5] if self.chance(85) else FAMILIES)} {self.pick('t', 't', 'u')}"

    def chain(self):
        return self.pick("a", "b", "c", "base", "nope") if self.chance(20) else \
            self.pick("a", "b", "base")

    def set_name(self):
        return self.pick("s", "m", "v", "o", "i")

    def object_name(self):
        return self.pick("x", "y")

    def handle(self):
        return self.rng.randrange(1, 30)

    # --- values

    def address(self):
        return f"10.0.{self.rng.randrange(3)}.{self.rng.randrange(8)}"

    def port(self):
        return str(self.pick(22, 53, 80, 443, 1024))

    def value(self, kind):
        values = {
            "ipv4_addr": self.address(),
            "inet_service": self.port(),
            "ipv6_addr": f"2001:db8::{self.rng.randrange(1, 9)}",
            "ifname": self.pick('"eth0"', '"eth1"', '"lo"'),
            "mark": str(self.rng.randrange(1, 6)),
            "inet_proto": self.pick("tcp", "udp", "icmp"),
            "ether_addr": f"02:00:00:00:00:0{self.rng.randrange(8)}",
            "ipv4_addr . inet_service": f"{self.address()} . {self.port()}",
        }
        return values[kind]

    def span(self, kind):
        """Of an interval set: a value, a range or a prefix."""
        low = self.rng.randrange(8)
        if kind == "ipv4_addr" and self.chance(70):
            return self.pick(f"10.0.0.{low}-10.0.0.{low + self.rng.randrange(1, 6)}",
                             f"10.0.{low}.0/24", f"10.0.0.{low * 4}/30", self.address())
        if kind == "inet_service" and self.chance(70):
            return f"{low * 10}-{low * 10 + self.rng.randrange(1, 15)}"
        return self.value(kind)

    def verdict(self):
        return self.pick("accept", "drop", "return", "continue", f"jump {self.chain()}",
                         f"goto {self.chain()}")

    # --- rules

    def match(self):
        named = self.set_name()
        return self.pick(
            f"ip saddr {self.address()}", f"ip daddr != {self.address()}",
            f"ip saddr {{ {self.address()}, {self.address()} }}",
            f"tcp dport {self.port()}", f"tcp dport {{ {self.port()}, 8000-8080 }}",
            f"udp sport {self.port()}", f"ip6 saddr {self.value('ipv6_addr')}",
            f"ip saddr @{named}", f"tcp dport @{named}", f"meta mark @{named}",
            f"iifname {self.value('ifname')}", "iif lo", f"meta mark {self.rng.randrange(9)}",
            "ct state established,related", "ct state new", "meta l4proto tcp",
            "ct mark 0x1", "ip ttl 64", "icmp type echo-request", "meta nfproto ipv4",
            f"ip saddr . tcp dport {{ {self.address()} . {self.port()} }}",
            "fib daddr type local", "tcp flags syn / fin,syn,rst,ack", "ip protocol tcp",
            "meta pkttype broadcast", "ether saddr 02:00:00:00:00:01")

    def statement(self):
        return self.pick(
            "counter", "counter packets 3 bytes 120", f"counter name {self.object_name()}",
            "limit rate 5/second", "limit rate over 10 kbytes/second burst 1 kbytes",
            "log prefix \"x: \"", "meta mark set 7", "ct mark set mark", "quota 100 bytes",
            f"quota name {self.object_name()}", f"limit name {self.object_name()}", "notrack",
            "masquerade", f"snat to {self.address()}", f"dnat to {self.address()}:80",
            "redirect to :8080", "reject", "reject with tcp reset",
            f"add @{self.set_name()} {{ ip saddr }}",
            f"update @{self.set_name()} {{ ip saddr timeout 1m counter }}",
            f"tcp dport vmap {{ 22 : {self.verdict()}, 80 : drop }}",
            f"ip saddr vmap @{self.set_name()}",
            f"counter name ip saddr map @{self.set_name()}",
            f"meta mark set ip saddr map @{self.set_name()}",
            "jump { counter accept }", self.verdict(), self.verdict(), self.verdict())

    def rule(self):
        parts = [self.match() for _ in range(self.rng.randrange(3))]
        parts += [self.statement() for _ in range(self.rng.randrange(1, 3))]
        if self.chance(15):
            parts.append(f'comment "{self.pick("one", "two")}"')
        return " ".join(parts)

    # --- commands, by kind: a name for the coverage, and the text

    def add_table(self):
        tail = self.pick("", "", "", " { flags dormant; }", ' { comment "c"; }')
        return "add table", f"{self.pick('add', 'add', 'create')} table {self.table()}{tail}"

    def add_chain(self):
        text = f"{self.pick('add', 'add', 'create')} chain {self.table()} {self.chain()}"
        if self.chance(45):
            kind = self.pick("filter", "filter", "filter", "nat", "route")
            hook = self.rng.choice(HOOKS[:5] if self.chance(90) else HOOKS)
            device = " device lo" if hook == "ingress" else ""
            policy = self.pick("", "", " policy drop;", " policy accept;")
            text += (f" {{ type {kind} hook {hook}{device} priority "
                     f"{self.rng.choice(PRIORITIES)};{policy} }}")
        return "add chain", text

    def change_chain(self):
        where = f"{self.table()} {self.chain()}"
        return self.pick(
            ("rename chain", f"rename chain {where} {self.chain()}"),
            ("flush chain", f"flush chain {where}"),
            ("delete chain", f"delete chain {where}"),
            ("delete chain", f"delete chain {self.table()} handle {self.handle()}"),
            ("policy", f"chain {where} {{ policy {self.pick('drop', 'accept')}; }}"))

    def add_rule(self):
        where = f"{self.table()} {self.chain()}"
        place = self.pick("", "", "", "", f" position {self.handle()}", f" index {self.rng.randrange(4)}",
                          f" handle {self.handle()}")
        verb = self.pick("add", "add", "insert", "create" if self.chance(5) else "add")
        return f"{verb} rule", f"{verb} rule {where}{place} {self.rule()}"

    def change_rule(self):
        where = f"{self.table()} {self.chain()}"
        return self.pick(
            ("replace rule", f"replace rule {where} handle {self.handle()} {self.rule()}"),
            ("delete rule", f"delete rule {where} handle {self.handle()}"))

    def set_body(self):
        kind = self.rng.choice(TYPES)
        parts = [f"type {kind};"]
        flags = [f for f in ("interval", "timeout", "constant", "dynamic") if self.chance(18)]
        if flags:
            parts.append(f"flags {','.join(flags)};")
        if self.chance(10):
            parts.append("timeout 1h;")
        if self.chance(10):
            parts.append(f"size {self.rng.randrange(1, 5)};")
        if self.chance(8):
            parts.append("auto-merge;")
        if self.chance(10):
            parts.append("counter;")
        if self.chance(8):
            parts.append('comment "set";')
        if self.chance(15):
            parts.append(f"elements = {{ {self.value(kind)} }};")
        return " ".join(parts)

    def add_set(self):
        verb = self.pick("add", "add", "create")
        if self.chance(60):
            return "add set", f"{verb} set {self.table()} {self.set_name()} {{ {self.set_body()} }}"
        kind = self.rng.choice(TYPES)
        data = self.pick("verdict", "verdict", "mark", "ipv4_addr", "counter", "quota")
        flags = " flags interval;" if self.chance(20) else ""
        return "add map", (f"{verb} map {self.table()} {self.set_name()} "
                           f"{{ type {kind} : {data};{flags} }}")

    def change_set(self):
        where = f"{self.table()} {self.set_name()}"
        return self.pick(("flush set", f"flush set {where}"), ("delete set", f"delete set {where}"),
                         ("delete map", f"delete map {where}"), ("flush map", f"flush map {where}"),
                         ("delete set", f"delete set {self.table()} handle {self.handle()}"))

    def element(self):
        kind = self.rng.choice(TYPES)
        text = self.span(kind) if self.chance(50) else self.value(kind)
        if self.chance(8):
            text = "*"
        if self.chance(10):
            text += " timeout 1h"
        if self.chance(8):
            text += ' comment "e"'
        if self.chance(30):
            text += " : " + self.pick(self.verdict(), str(self.rng.randrange(5)), self.address(),
                                      f'"{self.object_name()}"')
        return text

    def elements(self):
        verb = self.pick("add", "add", "add", "delete", "create", "get")
        what = ", ".join(self.element() for _ in range(self.pick(1, 1, 1, 2, 3)))
        return f"{verb} element", f"{verb} element {self.table()} {self.set_name()} {{ {what} }}"

    def objects(self):
        kind, where = self.rng.choice(OBJECTS), f"{self.table()} {self.object_name()}"
        body = {"counter": self.pick("", " { packets 3 bytes 7; }"),
                "quota": " " + self.pick("25 mbytes", "over 10 bytes", "100 bytes used 20 bytes"),
                "limit": " rate " + self.pick("5/second", "10/minute burst 3 packets")}[kind]
        return self.pick(
            ("add " + kind, f"{self.pick('add', 'create')} {kind} {where}{body}"),
            ("add " + kind, f"add {kind} {where}{body}"),
            ("delete " + kind, f"delete {kind} {where}"),
            ("reset", f"reset {self.pick('counters', 'quotas')} table {self.table()}"),
            ("reset", f"reset counter {where}"))

    def lists(self):
        what = self.pick("tables", "chains", "sets", "maps", "counters", "quotas", "limits",
                         f"table {self.table()}", f"chain {self.table()} {self.chain()}",
                         f"set {self.table()} {self.set_name()}",
                         f"map {self.table()} {self.set_name()}", "ruleset")
        return "list", f"list {what}"

    def drop_table(self):
        return self.pick(("delete table", f"delete table {self.table()}"),
                         ("flush table", f"flush table {self.table()}"),
                         ("delete table", f"delete table ip handle {self.rng.randrange(1, 9)}"))

    def one(self):
        weights = ((self.add_table, 6), (self.add_chain, 12), (self.change_chain, 8),
                   (self.add_rule, 30), (self.change_rule, 10), (self.add_set, 10),
                   (self.change_set, 6), (self.elements, 22), (self.objects, 8), (self.lists, 4),
                   (self.drop_table, 2))
        kinds = [kind for kind, _ in weights]
        return self.rng.choices(kinds, [w for _, w in weights])[0]()

    def command(self):
        """A command or a batch of some: what it is called, its text, its flags."""
        flags = 0
        if self.chance(8):
            flags |= DRY
        elif self.chance(12):
            flags |= nft_side.ECHO | nft_side.HANDLE
        if self.chance(82):
            what, text = self.one()
            return what, text, flags
        texts = [self.one()[1] for _ in range(self.rng.randrange(2, 6))]
        return "batch", "\n".join(texts), flags
