#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/lint must find one planted offence of each kind, and nothing in a clean tree."""
import os
import shutil
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SPDX = "/* SPDX-License-Identifier: GPL-2.0-or-later */\n"
SHELL = "#!/usr/bin/env bash\n# SPDX-License-Identifier: GPL-2.0-or-later\n"
SLASH = "/"      # so that this file names no machine's path itself
CLEAN = {
    "meson.build": "# SPDX-License-Identifier: GPL-2.0-or-later\nproject('x', 'c')\nsubdir('lib')\n",
    "lib/meson.build": "# SPDX-License-Identifier: GPL-2.0-or-later\n"
                       "static_library('a', 'a/a.c', include_directories: 'a')\n"
                       "static_library('path', 'path/walk.c', include_directories: 'path')\n",
    "lib/a/a.h": SPDX + "#ifndef A_H\n#define A_H\n\nint a(void);\n\n#endif\n",
    "lib/a/a_priv.h": SPDX + "#ifndef A_PRIV_H\n#define A_PRIV_H\n\nint b(void);\n\n#endif\n",
    "lib/a/a.c": SPDX + '#include "a.h"\n\n#include "a_priv.h"\n\n/* not rte_flow_create( */\n'
                 "int\na(void)\n{\n\treturn 0;\n}\n\nint\nb(void)\n{\n\treturn 1;\n}\n",
    "lib/path/walk.c": SPDX + "int walk(void);\n\nint\nwalk(void)\n{\n\treturn 0;\n}\n",
    "tests/x.sh": SHELL + "echo done\n",
}
BODY = SPDX + "void x(void);\n\nvoid\nx(void)\n{{\n\t{};\n}}\n"
# Check, file, its text, and what the finding must say.
PLANTED = [
    ("format", "lib/a/x.c", SPDX + "int  x;\n", "x.c"),
    ("spelling", "doc/x.md", "<!-- SPDX-License-Identifier: GPL-2.0-or-later -->\nrec" + "ieve\n", "x.md"),
    ("spdx", "lib/a/x.c", "int x;\n", "SPDX"),
    ("forbidden", "lib/a/x.c", BODY.format("rte_flow_flush(0, 0)"), "lib/offload"),
    ("forbidden", "app/x/x.c", BODY.format("rte_rcu_qsbr_quiescent(0, 0)"), "lib/rcu"),
    ("forbidden", "lib/a/x.c", BODY.format("exit(1)"), "errno"),
    ("forbidden", "lib/path/x.c", BODY.format("malloc(1)"), "packet path"),
    ("forbidden", "lib/path/x.c", BODY.format('log_info("x")'), "packet path"),
    ("forbidden", "lib/a/x.c", BODY.format("clock_gettime(0, 0)"), "clock.h"),
    ("forbidden", "lib/a/x.c", BODY.format("strcpy(0, 0)"), "bounded"),
    ("forbidden", "lib/a/x.c", BODY.format("/* nicmodel */"), "model NIC"),
    ("forbidden", "tests/y.sh", SHELL + "sle" + "ep 1\n", "sleeps"),
    ("forbidden", "tests/y.c", BODY.format("usle" + "ep(1)"), "sleeps"),
    ("forbidden", "doc/x.md", f"see {SLASH}root/x\n", "one machine"),
    ("forbidden", "doc/x.sh", "x \n", "white space"),
    ("private", "lib/path/x.c", SPDX + '#include "a_priv.h"\n', "private to lib/a"),
    ("sizes", "lib/a/x.c", SPDX + "\n" * 900, "more than"),
    ("sizes", "lib/a/x.c", BODY.format(";\n" * 200), "x() has more than"),
    ("scripts", "tests/y.sh", SHELL + "if\n", "y.sh"),
    ("scripts", "tests/y.py", "def\n", "y.py"),
    ("cppcheck", "lib/a/x.c", BODY.format("int z[2]; z[2] = 0; (void)z"), "z[2]"),
    ("headers", "lib/a/x.h", SPDX + "uint32_t x(void);\n", "alone with gcc"),
    ("headers", "lib/a/x.h", SPDX + '#include "walk.h"\n', "alone with clang"),
]


class Lint(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="shunt-lint-")
        self.addCleanup(shutil.rmtree, self.dir)
        shutil.copytree(os.path.join(TOP, "tools"), os.path.join(self.dir, "tools"),
                        ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(os.path.join(TOP, ".clang-format"), self.dir)
        self.write(".gitignore", "/build*/\n")
        for path, text in CLEAN.items():
            self.write(path, text)
        subprocess.run(["git", "init", "-q", self.dir], check=True)

    def write(self, path, text):
        path = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def lint(self, *checks):
        return subprocess.run([os.path.join(self.dir, "tools", "lint"), *checks], text=True,
                              capture_output=True, check=False)

    def test_clean(self):
        r = self.lint()
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        self.assertRegex(r.stdout.splitlines()[-1], r"^\d+ passed, 0 failed, 0 skipped$")

    def test_planted(self):
        for check, path, text, says in PLANTED:
            with self.subTest(check=check, path=path, says=says):
                self.write(path, text)
                r = self.lint(check)
                os.remove(os.path.join(self.dir, path))
                self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
                self.assertIn(path, r.stdout)
                self.assertIn(says, r.stdout)
                self.assertEqual(r.stdout.splitlines()[-1], "0 passed, 1 failed, 0 skipped")


if __name__ == "__main__":
    unittest.main()
