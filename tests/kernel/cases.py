# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases: where they are, what they hold.

SHUNT_CASES names folders, separated by colons; without it ../shared/cases and
../shared/rulesets beside the source tree are taken where they exist. A case
NAME is NAME.topo.json with NAME.in.jsonl.gz, its record NAME.out.jsonl.gz (what
Linux answered when it was made) and, in any of the folders, NAME.nft.
"""
import gzip
import json
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def folders():
    named = os.environ.get("SHUNT_CASES")
    shared = os.path.join(os.path.dirname(TOP), "shared")
    found = named.split(":") if named else [os.path.join(shared, d) for d in ("cases", "rulesets")]
    inside = [os.path.join(f, d) for f in found for d in ("", "cases", "rulesets")]
    return [f for f in inside if os.path.isdir(f)]


def names():
    """The names of all cases, in order."""
    suffix = ".topo.json"
    return sorted({f[:-len(suffix)] for d in folders() for f in os.listdir(d)
                   if f.endswith(suffix)})


def _find(name):
    for d in folders():
        path = os.path.join(d, name)
        if os.path.exists(path):
            return path
    return None


def _lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


class Packet:
    """One input: a frame for a port, or a command to run before it."""

    __slots__ = ("index", "port", "frame", "delay_ms", "cmd", "note")

    def __init__(self, index, row):
        self.index = index
        self.port, self.note = row.get("port"), row.get("note", "")
        self.frame = bytes.fromhex(row.get("hex", ""))
        self.delay_ms, self.cmd = row.get("delay_ms", 0), row.get("cmd")


class Case:
    def __init__(self, name):
        topo, packets = _find(name + ".topo.json"), _find(name + ".in.jsonl.gz")
        self.name, self.ruleset = name, _find(name + ".nft")
        if not (topo and packets and self.ruleset):
            raise FileNotFoundError(f"case {name} lacks its topology, packets or ruleset")
        with open(topo, encoding="utf-8") as f:
            self.topo = json.load(f)
        self.packets = [Packet(i, row) for i, row in enumerate(_lines(packets))]
        self._record = _find(name + ".out.jsonl.gz")

    def record(self):
        """(outputs a packet, as routers give them; the final state), or None without a record."""
        if not self._record:
            return None
        rows = _lines(self._record)
        outputs = {r["i"]: [(o["port"], bytes.fromhex(o["hex"])) for o in r["out"]]
                   for r in rows if "i" in r}
        return [outputs.get(i, []) for i in range(len(self.packets))], rows[-1].get("final", {})

    def text(self, flowtable=False):
        """The ruleset; with its `#FLOWTABLE` lines restored on the case's own ports if asked for."""
        with open(self.ruleset, encoding="utf-8") as f:
            text = f.read()
        if flowtable:
            ports = ", ".join(p["name"] for p in self.topo["ports"])
            text = re.sub(r"^#FLOWTABLE ?", "", text, flags=re.M)
            text = re.sub(r"(devices\s*=\s*)\{[^}]*\}", rf"\1{{ {ports} }}", text)
        return text if text.endswith("\n") else text + "\n"
