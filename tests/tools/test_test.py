#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/test must count what passed, failed and was skipped, and fail when something did."""
import os
import shutil
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MESON = """# SPDX-License-Identifier: GPL-2.0-or-later
project('x', 'c')
executable('x', 'x.c')
sh = find_program('sh')
foreach name, status : {%s}
  test(name, sh, args: ['-c', 'exit ' + status], suite: name.split('-')[0])
endforeach
"""


class Test(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="shunt-test-")
        self.addCleanup(shutil.rmtree, self.dir)
        os.makedirs(os.path.join(self.dir, "tools"))
        os.makedirs(os.path.join(self.dir, "tests"))
        shutil.copy(os.path.join(TOP, "tools", "test"), os.path.join(self.dir, "tools"))
        self.program("setup", "exit 0")
        self.program("lint", "echo '2 passed, 0 failed, 0 skipped'")
        self.write("x.c", "int main(void) { return 0; }\n")

    def write(self, path, text):
        with open(os.path.join(self.dir, path), "w", encoding="utf-8") as f:
            f.write(text)

    def program(self, name, text):
        self.write("tools/" + name, f"#!/bin/sh\n{text}\n")
        os.chmod(os.path.join(self.dir, "tools", name), 0o755)

    def tests(self, **status):
        self.write("meson.build", MESON % ", ".join(
            f"'{n.replace('_', '-')}': '{s}'" for n, s in status.items()))

    def run_test(self, *argv):
        r = subprocess.run([os.path.join(self.dir, "tools", "test"), *argv], capture_output=True,
                           text=True, check=False, stdin=subprocess.DEVNULL)
        return r.returncode, (r.stdout.splitlines() or [""])[-1], r.stdout + r.stderr

    def expect(self, status, line, *argv):
        got = self.run_test(*argv)
        self.assertEqual(got[:2], (status, line), got[2])

    def test_counts(self):
        self.tests(unit_a=0, unit_b=77, netns_a=0, perf_a=1)
        self.expect(0, "3 passed, 0 failed, 1 skipped", "--ring", "gcc")

    def test_failure(self):
        self.tests(unit_a=0, unit_b=1, unit_c=77)
        self.expect(1, "2 passed, 1 failed, 1 skipped", "--ring", "gcc")

    def test_build_failure(self):
        self.tests(unit_a=0)
        self.write("x.c", "int main(void) { return }\n")
        self.expect(1, "0 passed, 1 failed, 0 skipped", "--ring", "gcc")

    def test_quick(self):
        self.tests(unit_a=0, netns_a=1)
        self.expect(0, "4 passed, 0 failed, 0 skipped", "--quick")

    def test_sanitizers(self):
        self.tests(unit_a=0, fuzz_a=0, netns_a=1)
        self.expect(0, "3 passed, 0 failed, 0 skipped", "--ring", "asan")

    def test_lint_failure(self):
        self.tests(unit_a=0)
        self.program("lint", "echo 'lint x: FAIL'; echo '1 passed, 1 failed, 0 skipped'; exit 1")
        self.expect(1, "3 passed, 1 failed, 0 skipped", "--quick")

    def test_lint_dies(self):
        self.tests(unit_a=0)
        self.program("lint", "exit 1")
        self.expect(1, "2 passed, 1 failed, 0 skipped", "--quick")

    def test_setup_fails(self):
        self.program("setup", "exit 1")
        self.expect(1, "0 passed, 1 failed, 0 skipped")

    def test_usage(self):
        self.assertEqual(self.run_test("--ring", "none")[0], 2)
        self.assertEqual(self.run_test("--what")[0], 2)


if __name__ == "__main__":
    unittest.main()
