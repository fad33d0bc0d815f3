#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The protocol trackers against the kernel's.

    side 0: peer a0 --- r0 router r1 --- b0 peer :side 1

Every segment of a random dialogue goes through the router, whose ruleset
writes the packet's ct state into DSCP, and through tests/kernel/tracker_driver.
After each one the ct state, the connection's TCP state, its flags and scales
(ctnetlink), status and timeout must be equal.

usage: test_tracker.py DRIVER [SEED [DIALOGUES]]    exit 77: skipped
"""
import itertools
import random
import subprocess
import sys
import time

from tracker_net import TCP_STATES, Router, SkipTest, icmp_packet, tcp_bytes

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << i for i in range(8))
MASK = 0xFFFFFFFF
# IPS_SEEN_REPLY, IPS_ASSURED, IPS_FIXED_TIMEOUT
STATUS = 1 << 1 | 1 << 2 | 1 << 10
EDGES = ("end", "max_end", "max_win", "max_ack")


class Driver:
    """The trackers under test."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.tell(line)
        answer = self.process.stdout.readline()
        if not answer.endswith("\n"):
            raise RuntimeError(f"the driver died of: {line}")
        return answer.split()

    def packet(self, side, data):
        words = self.ask(f"P {side} {data.hex() or '-'}")
        numbers = [int(w) for w in words[3:]]
        answer = {"packet": words[0], "live": words[1] == "1"}
        if answer["live"]:
            answer.update(state=words[2], status=numbers[0] & STATUS, flags=numbers[2:4],
                          scale=numbers[4:6])
        peers = [dict(zip(EDGES, numbers[6 + 4 * i:10 + 4 * i])) for i in range(2)]
        return answer, numbers[1], peers, numbers[14]

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class Mismatch(Exception):
    """The kernel and the trackers disagree."""


class Dialogue:
    """One connection's segments, chosen at random around the edges that matter."""

    def __init__(self, router, driver, ports, rng):
        self.router, self.driver, self.ports, self.rng = router, driver, ports, rng
        self.next = [rng.choice((1, 0x7FFFFF00, 0xFFFFFF00, rng.getrandbits(32))) for _ in "01"]
        self.scale = [rng.choice((None, 0, 2, 7, 14, 15)) for _ in "01"]
        self.sack = [rng.random() < 0.5 for _ in "01"]
        self.state, self.peers, self.original = "NONE", [dict.fromkeys(EDGES, 0)] * 2, 0
        self.last, self.log, self.renewed, self.timeout = None, [], time.monotonic(), 0
        self.seen = set()
        driver.tell("N")

    def send(self, side, flags, seq, ack, win, length, options=b"", damage=None):
        """One segment through both; raise on a difference."""
        data = tcp_bytes(side, self.ports, seq, ack, flags, win, options, length, damage)
        text = (f"side {side} flags {flags:#04x} seq {seq} ack {ack} win {win} len {length} "
                f"options {options.hex()} damage {damage}")
        self.last = (side, flags, seq, ack, win, length, options, damage)
        before = time.monotonic()
        got, got_timeout, peers, original = self.driver.packet(side, data) \
            if damage != "checksum" else (None, self.timeout, self.peers, self.original)
        want = {"packet": self.router.forward_tcp(side, data)}
        kernel = self.router.connection(self.ports)
        after = time.monotonic()
        want["live"] = kernel is not None
        want_timeout = None
        if kernel:
            want_timeout = kernel.pop("timeout")
            kernel["status"] &= STATUS
            want.update(kernel)
        if damage == "checksum":  # the caller's check, not the tracker's
            got = dict(want, packet="invalid")
        self.log.append(f"{text}\n    kernel {want} {want_timeout}\n    shunt  {got} {got_timeout}"
                        f" {peers}")
        if got_timeout != self.timeout or want_timeout in (got_timeout, got_timeout - 1):
            self.renewed, self.timeout = before, got_timeout
        if got != want:
            raise Mismatch("differs")
        low = got_timeout - 1 - int(after - self.renewed)
        if kernel and not low <= want_timeout <= got_timeout:
            raise Mismatch(f"timeout {want_timeout}, not {low} to {got_timeout}")
        self.seen.add((self.state, got.get("state", "NONE"), got["packet"]))
        self.peers, self.original = peers, original
        self.state = got.get("state", "NONE")
        if seq == self.next[side]:
            self.next[side] = seq + length + (flags & SYN > 0) + (flags & FIN > 0) & MASK

    def pick_seq(self, side):
        rng = self.rng
        dir_ = side != self.original
        me, other = self.peers[dir_], self.peers[not dir_]
        choice = rng.random()
        if choice < 0.62:
            return self.next[side]
        if choice < 0.94:
            base = rng.choice((me["end"], me["max_end"], other["max_ack"],
                               me["end"] - other["max_win"], me["max_end"] + other["max_win"],
                               self.next[side]))
            return base + rng.choice((-2, -1, 0, 1, 2, -100, 100, -1460, 1460)) & MASK
        return rng.choice((0, rng.getrandbits(32)))

    def pick_ack(self, side):
        rng = self.rng
        dir_ = side != self.original
        me, other = self.peers[dir_], self.peers[not dir_]
        choice = rng.random()
        if choice < 0.66:
            return self.next[not side]
        if choice < 0.94:
            base = rng.choice((other["end"], other["end"] - max(66000, me["max_win"]),
                               other["max_end"], self.next[not side], me["max_ack"]))
            return base + rng.choice((-2, -1, 0, 1, 2, -100)) & MASK
        return rng.choice((0, rng.getrandbits(32)))

    def syn_options(self, side):
        rng = self.rng
        if rng.random() < 0.1:
            return bytes(rng.choice((0, 1, 2, 3, 4, 5, 8, 40, 255)) for _ in range(rng.choice((4, 8, 12, 40))))
        out = b"\x02\x04\x05\xb4"
        if self.scale[side] is not None:
            out += b"\x01\x03\x03" + bytes([self.scale[side]])
        if self.sack[side]:
            out += b"\x01\x01\x04\x02"
        if rng.random() < 0.3:
            out += b"\x01\x01\x08\x0a" + rng.randbytes(8)
        return out if rng.random() < 0.9 else b""

    def ack_options(self, side):
        rng = self.rng
        choice = rng.random()
        if choice < 0.5:
            return b""
        if choice < 0.7:
            return b"\x01\x01\x08\x0a" + rng.randbytes(8)
        if choice < 0.93:
            right = self.next[not side] + rng.choice((0, 1, 100, -100, 3000, 70000, -70000))
            if rng.random() < 0.5:
                right = self.peers[side == self.original]["end"] + rng.choice((-1, 0, 1))
            blocks = [right & MASK] + [rng.getrandbits(32) for _ in range(rng.choice((0, 0, 0, 1, 2)))]
            rng.shuffle(blocks)
            sack = b"".join((b - 50 & MASK).to_bytes(4, "big") + b.to_bytes(4, "big") for b in blocks)
            return b"\x01\x01\x05" + bytes([len(sack) + 2]) + sack
        return bytes(rng.choice((0, 1, 5, 5, 10, 18, 2, 8)) for _ in range(rng.choice((4, 12, 20))))

    def pick_kind(self):
        """Side and flags that move a connection on."""
        rng, opener = self.rng, self.original
        answer = 1 - opener
        steps = {
            "NONE": ((0, SYN, 8), (1, SYN, 1), (0, ACK, 2), (1, ACK, 1), (1, RST | ACK, 1)),
            "SYN_SENT": ((answer, SYN | ACK, 8), (opener, SYN, 2), (answer, SYN, 2),
                         (answer, RST | ACK, 1), (answer, ACK, 2), (opener, RST, 1)),
            "SYN_SENT2": ((answer, SYN | ACK, 3), (opener, SYN | ACK, 3), (opener, ACK, 1),
                          (answer, RST | ACK, 1)),
            "SYN_RECV": ((opener, ACK, 8), (answer, SYN | ACK, 2), (answer, ACK, 2), (opener, SYN, 1),
                         (answer, RST, 1), (opener, FIN | ACK, 1), (opener, RST, 1)),
            "ESTABLISHED": ((0, ACK, 12), (1, ACK, 12), (0, ACK | PSH, 4), (1, ACK | PSH, 4),
                            (0, FIN | ACK, 2), (1, FIN | ACK, 2), (0, RST, 1), (1, RST, 1),
                            (0, RST | ACK, 1), (1, RST | ACK, 1), (opener, SYN, 2),
                            (answer, SYN | ACK, 2), (answer, SYN, 1)),
        }
        closing = ((0, ACK, 4), (1, ACK, 4), (0, FIN | ACK, 2), (1, FIN | ACK, 2), (opener, SYN, 3),
                   (answer, SYN | ACK, 2), (answer, SYN, 2), (0, RST, 1), (1, RST | ACK, 1))
        table = steps.get(self.state, closing)
        side, flags, _ = rng.choices(table, [w for _, _, w in table])[0]
        return side, flags

    def step(self):
        rng = self.rng
        if self.last and rng.random() < 0.1:
            self.send(*self.last)
            return
        if rng.random() < 0.8:
            side, flags = self.pick_kind()
        else:
            side, flags = rng.randrange(2), rng.choice(
                (SYN, SYN | ACK, ACK, FIN | ACK, RST, RST | ACK, ACK | URG, FIN, 0, FIN | ACK | URG,
                 SYN | URG, SYN | FIN, SYN | RST, FIN | PSH | URG, rng.randrange(256)))
        if rng.random() < 0.1:
            flags |= rng.choice((PSH, ECE, CWR, ECE | CWR))
        options = self.syn_options(side) if flags & SYN else self.ack_options(side)
        length = 0 if flags & (SYN | RST) and rng.random() < 0.95 else \
            rng.choice((0, 0, 0, 1, 100, 1000, 1380))
        win = rng.choice((65535, 65535, 501, 29200, 1, 0, rng.randrange(65536)))
        ack = self.pick_ack(side) if flags & ACK or rng.random() < 0.2 else 0
        damage = rng.choice(("checksum", "doff", "short")) if rng.random() < 0.02 else None
        self.send(side, flags, self.pick_seq(side), ack, win, length, options, damage)


def in_order(dialogue, steps):
    """A well-behaved beginning: (side, flags) with the right numbers."""
    for side, flags in steps:
        dialogue.send(side, flags, dialogue.next[side], dialogue.next[not side] if flags & ACK else 0,
                      30000, 0)


OPEN = ((0, SYN), (1, SYN | ACK), (0, ACK))
PATHS = {
    "NONE": (),
    "SYN_SENT": OPEN[:1],
    "SYN_SENT2": ((0, SYN), (1, SYN)),
    "SYN_RECV": OPEN[:2],
    "ESTABLISHED": OPEN,
    "FIN_WAIT": OPEN + ((0, FIN | ACK),),
    "CLOSE_WAIT": OPEN + ((0, FIN | ACK), (1, ACK)),
    "LAST_ACK": OPEN + ((0, FIN | ACK), (1, FIN | ACK)),
    "TIME_WAIT": OPEN + ((0, FIN | ACK), (1, FIN | ACK), (0, ACK)),
    "CLOSE": OPEN + ((0, RST),),
    "picked up": ((0, ACK),),
    "picked up both ways": ((0, ACK), (1, ACK)),
    "ignored SYN": OPEN + ((0, SYN),),
    "challenge": OPEN + ((0, FIN | ACK), (1, FIN | ACK), (0, SYN)),
}


def exhaustive(dialogues):
    """All flags from either side in every state, exact and not."""
    for path, side, flags in itertools.product(PATHS, (0, 1), range(64)):
        dialogue = next(dialogues)
        in_order(dialogue, PATHS[path])
        if path in TCP_STATES and dialogue.state != path:
            raise Mismatch(f"{path} not reached, but {dialogue.state}")
        for offset in (0, 7):
            dialogue.send(side, flags, dialogue.next[side] + offset & MASK,
                          dialogue.next[not side], 30000, 0)
            dialogue.send(1 - side, ACK, dialogue.next[not side], dialogue.next[side], 30000, 0)


def icmp_types(router, driver):
    """The first packet of each ICMP and ICMPv6 type."""
    failed = 0
    for family, type_ in itertools.product((4, 6), range(256)):
        want = router.forward(0, icmp_packet(family, type_, 1000 + type_), family)
        got = driver.ask(f"I {family} {type_}")[0]
        if got != want:
            print(f"ICMP v{family} type {type_}: kernel {want}, shunt {got}")
            failed += 1
    return failed


class Run:
    """Counts, configurations and fresh ports."""

    def __init__(self, router, driver, rng):
        self.router, self.driver, self.rng = router, driver, rng
        self.segments, self.port, self.current, self.seen = 0, 0, None, set()

    def configure(self, loose=1, liberal=0, ignore_rst=0, max_retrans=3):
        self.config = (loose, liberal, ignore_rst, max_retrans)
        for name, value in zip(("loose", "be_liberal", "ignore_invalid_rst", "max_retrans"), self.config):
            self.router.sysctl(f"net/netfilter/nf_conntrack_tcp_{name}", value)
        self.driver.tell("C " + " ".join(map(str, self.config)))

    def dialogues(self):
        while True:
            self.account()
            if self.port % 2000 == 0:
                self.router.flush()
            self.port += 1
            ports = (1024 + self.port % 60000, 80 + self.port // 60000)
            self.current = Dialogue(self.router, self.driver, ports, self.rng)
            yield self.current

    def account(self):
        if self.current:
            self.segments += len(self.current.log)
            self.seen |= self.current.seen
        self.current = None

    def tcp(self, count):
        dialogues = self.dialogues()
        self.configure()
        exhaustive(dialogues)
        for number in range(count):
            if number % 100 == 0:
                self.configure(*(self.rng.choice(options) for options in
                                 ((1, 1, 1, 0), (0, 0, 0, 1), (0, 0, 1), (3, 3, 0, 1, 255))))
            dialogue = next(dialogues)
            for _ in range(self.rng.choice((5, 15, 40, 120))):
                dialogue.step()
        self.account()


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().getrandbits(32)
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    print(f"seed {seed}", flush=True)
    try:
        router = Router()
    except SkipTest as why:
        print(f"skipped: {why}")
        return 77
    with router:
        driver = Driver(sys.argv[1])
        run = Run(router, driver, random.Random(seed))
        failed = icmp_types(router, driver)
        try:
            run.tcp(count)
        except Mismatch as why:
            print("\n".join(run.current.log))
            print(f"{why}\nseed {seed}, loose liberal ignore_rst max_retrans {run.config}")
            return 1
        if driver.close() != 0:
            return 1
    print(f"{run.segments} segments in {run.port} dialogues, {len(run.seen)} kinds of steps, "
          f"512 ICMP types: equal" if not failed else f"{failed} ICMP types differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
