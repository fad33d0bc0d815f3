# SPDX-License-Identifier: GPL-2.0-or-later
"""Two routers' answers to the same packets: equal, equal under a closed list, or different.

One side is the guide (the record, or the kernel of this run), the other is the
one under test. What is forgiven, and counted:
  ip-id           the IP identification of an ICMP error or echo reply that the router made
  nat-port-range  a NAT port out of the range that a rule names
  nat-port-clash  a NAT port or ICMP id that replaced one already taken
  offload-sum, offload-window  a packet that the NIC carried, with a wrong checksum,
                  or which the guide did not take for its connection's
NAT ports are forgiven as a bijection only: one port of the guide's stands for
one of the other's as long as the connection behind it is the same, and what
comes in for such a port is rewritten before it is sent. All else is compared
byte for byte, checksums included.
"""
import collections
import ipaddress
import json
import re

from frame import (ECHO, ICMP, checksum_places, endpoints, frame_ip, icmp_type, is_icmp_error,
                   set_port, set_word, sums_right, word)

SHOWN, BRIEF = 3, 100       # frames of one difference, bytes of a frame


def port_ranges(ruleset):
    """The address and port ranges of a ruleset's NAT rules: (first address, last, low, high)."""
    found = []

    def span(value, kind):
        if isinstance(value, dict) and "range" in value:
            low, high = value["range"]
        else:
            low = high = value
        try:
            return kind(low), kind(high)
        except (TypeError, ValueError):
            return None

    def walk(node):
        if isinstance(node, list):
            for child in node:
                walk(child)
        elif isinstance(node, dict):
            for name, child in node.items():
                if name in ("snat", "dnat", "masquerade", "redirect") and isinstance(child, dict):
                    ports = span(child.get("port"), int)
                    address = child.get("addr")
                    addresses = span(address, ipaddress.ip_address) if address else None
                    if ports and ports[0] < ports[1]:
                        found.append((addresses, *ports))
                walk(child)

    walk(ruleset)
    return found


class Bijection:
    """Which port of the one under test stands for which of the guide's, tuple by tuple."""

    def __init__(self):
        self.forward = {}    # guide's tuple -> (the other's port, what stands behind it)
        self.back = {}       # the other's tuple -> guide's port

    def pair(self, endpoint, port, behind):
        """Is `port` what stands for this endpoint of the guide's? Learns a new pair."""
        key, other = endpoint.key(), endpoint.key(port)
        known = self.forward.get(key)
        if known and known[0] == port and (behind is None or known[1] in (None, behind)):
            return True
        if known and known[0] != port and (behind is None or known[1] == behind):
            return False
        taken = self.back.get(other)
        if taken is not None and taken != endpoint.port:
            if behind is None or self.forward[endpoint.key(taken)][1] == behind:
                return False
            del self.forward[endpoint.key(taken)]
        if known:
            self.back.pop(endpoint.key(known[0]), None)
        self.forward[key] = (port, behind)
        self.back[other] = endpoint.port
        return True

    def translate(self, frame):
        """The guide's input as the one under test has to get it."""
        changed = None
        for e in endpoints(frame):
            known = self.forward.get(e.key())
            port = known[0] if known else e.port
            # A port that means nothing to the guide must mean nothing to the other one.
            while not known and e.key(port) in self.back:
                port = self.back[e.key(port)]
            if port != e.port:
                changed = changed or bytearray(frame)
                set_port(changed, e, port)
                if not known:
                    self.pair(e, port, None)
        return bytes(changed) if changed else frame


def router_made(frame, inp):
    """Did the router make this ICMP message itself (an error, or the answer to an echo)?"""
    ip, came = frame_ip(frame), frame_ip(inp)
    if not ip or ip.version != 4 or ip.proto != ICMP or not came:
        return False
    if is_icmp_error(frame, ip):
        return not is_icmp_error(inp, came)
    request, reply = ECHO[ICMP]
    return icmp_type(frame, ip) == reply and icmp_type(inp, came) == request


def same_but_zero(a, b):
    """Equal, 0 and 0xffff being one number where a checksum stands."""
    if a == b:
        return True
    b = bytearray(b)
    for at in checksum_places(a):
        if {word(a, at), word(b, at)} == {0, 0xffff}:
            b[at:at + 2] = a[at:at + 2]
    return a == bytes(b)


def brief(frame):
    """The frame in hexadecimal, the headers of a long one."""
    return frame.hex() if len(frame) <= BRIEF else f"{frame[:BRIEF].hex()}... {len(frame)} bytes"


class Comparison:
    """The state of one comparison: the bijection so far, what was forgiven, what differs."""

    def __init__(self, ruleset):
        self.ranges = port_ranges(ruleset)
        self.ports = Bijection()
        self.forgiven = collections.Counter()
        self.differences = []
        self.fragments = {}     # the first fragment of every fragmented packet that came in

    def _why_port(self, e, port, behind):
        """The name under which a different NAT port is forgiven, or None."""
        address = ipaddress.ip_address(e.addr)
        for addresses, low, high in self.ranges:
            if addresses and not (addresses[0].version == address.version
                                  and addresses[0] <= address <= addresses[1]):
                continue
            if low <= e.port <= high and low <= port <= high:
                return "nat-port-range"
        if behind and behind[1] not in (e.port, port):
            low, high = (1, 511) if behind[1] < 512 else (600, 1023) if behind[1] < 1024 \
                else (1024, 65535)
            if e.proto not in ECHO and not (low <= e.port <= high and low <= port <= high):
                return None
            return "nat-port-clash"
        return None

    def frame(self, guide, live, inp):
        """What differs between two output frames, or None; learns and counts on the way."""
        theirs, ours, came = endpoints(guide), endpoints(live), endpoints(inp)
        if guide != live and len(guide) != len(live):
            return f"{len(live)} bytes, not {len(guide)}"
        changed, names = bytearray(live), []
        if [(e.proto, e.addr, e.port_at) for e in theirs] == \
                [(e.proto, e.addr, e.port_at) for e in ours]:
            parallel = [e.proto for e in came] == [e.proto for e in theirs]
            for i, (t, o) in enumerate(zip(theirs, ours)):
                behind = (came[i].addr, came[i].port) if parallel else None
                translated = behind and behind != (t.addr, t.port)
                known = self.ports.forward.get(t.key())
                if t.port == o.port:
                    if translated and not self.ports.pair(t, o.port, behind):
                        return f"port {o.port} stands for two connections"
                    continue
                why = self._why_port(t, o.port, behind if translated else None)
                if not why and not (known and known[0] == o.port):
                    return f"port {o.port}, not {t.port}"
                if not self.ports.pair(t, o.port, behind if translated else None):
                    return f"port {o.port} for {t.port} breaks the bijection"
                set_port(changed, o, t.port)
                names.append(why or "nat-port-range")
        if guide != bytes(changed) and router_made(guide, inp) and router_made(live, inp):
            ident = word(guide, 18)
            if ident != word(changed, 18):
                set_word(changed, 18, ident, (24,))
                names.append("ip-id")
        changed = bytes(changed)
        if changed != guide and not (names and same_but_zero(guide, changed)):
            at = next(i for i, (a, b) in enumerate(zip(guide, changed)) if a != b)
            return f"byte {at} is {changed[at]:02x}, not {guide[at]:02x}"
        self.forgiven.update(set(names))
        return None

    def _whole(self, inp):
        """The input that tells what is behind a tuple: of a fragment, the first one."""
        ip = frame_ip(inp)
        if not ip or not ip.fragment:
            return inp
        packet = (ip.src, ip.dst, ip.proto, ip.ident)
        if ip.first:
            self.fragments[packet] = inp
        return self.fragments.get(packet, inp)

    def _relaxed(self, inp, guide, live):
        """What a flowtable in a NIC does not check of this packet, if that is why they differ."""
        if not sums_right(inp):
            return "offload-sum"

        def ends(frame):
            return [(e.addr, e.port) for e in endpoints(frame)]

        if not guide or (all(ends(f) == ends(inp) for _port, f in guide)
                         and any(ends(f) != ends(inp) for _port, f in live)):
            return "offload-window"
        return None

    def packet(self, index, inp, guide, live, carried=False):
        """Compare the outputs of one input, port by port, each in order."""
        inp = self._whole(inp)
        relaxed = carried and [*guide] != [*live] and self._relaxed(inp, guide, live)
        if relaxed:
            self.forgiven[relaxed] += 1
            return True

        def by_port(outputs):
            found = collections.defaultdict(list)
            for port, frame in outputs:
                found[port].append(frame)
            return found

        theirs, ours = by_port(guide), by_port(live)
        for port in sorted(set(theirs) | set(ours)):
            a, b = theirs[port], ours[port]
            what = f"{len(b)} frames, not {len(a)}" if len(a) != len(b) else None
            for x, y in zip(a, b):
                what = what or self.frame(x, y, inp)
            if what:
                lines = [f"packet {index}, out of {port}: {what}", f"    in    {brief(inp)}"]
                lines += [f"    guide {brief(f)}" for f in a[:SHOWN]]
                lines += [f"    other {brief(f)}" for f in b[:SHOWN]]
                self.differences.append("\n".join(lines))
                return False
        return True

    def rulesets(self, guide, live, flowtables=False):
        """Compare two `nft -j list ruleset`, counters, handles, sets and their elements."""
        a, b = tidy_ruleset(guide, flowtables), tidy_ruleset(live, flowtables)
        if len(a) != len(b):
            self.differences.append(f"ruleset: {len(b)} objects, not {len(a)}")
        for x, y in zip(a, b):
            if x != y:
                self.differences.append(f"ruleset: guide {json.dumps(x)}\n"
                                        f"         other {json.dumps(y)}")

    def connections(self, guide, live):
        """Compare two `conntrack -L`, timeouts aside, ports through the bijection."""
        a = collections.Counter(tidy_connection(line) for line in guide)
        translate = {(k[1], v[0], k[3], k[4]): k[2] for k, v in self.ports.forward.items()}
        b = collections.Counter(tidy_connection(line, translate) for line in live)
        for line in sorted((a - b).elements()):
            self.differences.append(f"connection only of the guide: {line}")
        for line in sorted((b - a).elements()):
            self.differences.append(f"connection only of the other: {line}")


def tidy_ruleset(ruleset, flowtables):
    """A ruleset without what is no part of the comparison; elements in an order of their own."""
    found = []
    for item in ruleset:
        if "metainfo" in item or (flowtables and "flowtable" in item):
            continue
        item = json.loads(json.dumps(item))
        for kind in ("set", "map"):
            if "elem" in item.get(kind, {}):
                item[kind]["elem"].sort(key=json.dumps)
        if flowtables:
            for value in item.values():
                value.pop("handle", None)
            if "rule" in item:
                item["rule"]["expr"] = [s for s in item["rule"]["expr"] if "flow" not in s]
                counted = [s for s in item["rule"]["expr"] if set(s) - {"match"}]
                if not counted and "comment" not in item["rule"]:
                    continue
        found.append(item)
    return found


def tidy_connection(line, translate=None):
    """A line of `conntrack -L` without its timeout, the reply's NAT port as the guide's."""
    words = line.split()
    if len(words) > 4 and words[0] in ("ipv4", "ipv6"):
        del words[4]
    elif len(words) > 2 and words[2].isdigit():
        del words[2]
    if translate:
        places = [i for i, w in enumerate(words) if w.startswith("src=")]
        if len(places) == 2:
            reply = {w.split("=")[0]: i for i, w in enumerate(words) if i >= places[1]
                     and re.match(r"(src|dst|sport|dport|id)=", w)}

            def value(name, kind=int):
                return kind(words[reply[name]].split("=")[1]) if name in reply else 0

            def address(name):
                return ipaddress.ip_address(value(name, str)).packed

            own = "dport" if "dport" in reply else "id"
            port = translate.get((address("dst"), value(own), address("src"), value("sport")))
            if port is not None and own in reply:
                words[reply[own]] = f"{own}={port}"
    return " ".join(words)
