"""./dev finds out which package can be installed, whatever language the machine speaks and however much apt-cache says."""
import os
import pathlib
import subprocess
import tempfile
import unittest

import tree

# Knows the packages whose names begin with "known", and says more about them than fits into a pipe.
APT_CACHE = """#!/bin/sh
candidate='(none)' label=Installationskandidat
case $2 in known*) candidate=1.0-1 ;; esac
[ "${LC_ALL:-}" != C ] || label=Candidate
printf '%s:\\n  Installed: (none)\\n  %s: %s\\n' "$2" "$label" "$candidate"
yes '     500 http://example.org bookworm/main' | head -n 10000
"""


class FirstAvailable(unittest.TestCase):
    def first_available(self, alternatives):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "apt-cache"
            program.write_text(APT_CACHE)
            program.chmod(0o755)
            script = 'set -euo pipefail; source dev.d/common.sh; source dev.d/packages.sh; first_available "$1"'
            environment = {"PATH": f"{folder}:{os.environ['PATH']}", "LANG": "de_DE.UTF-8"}
            return subprocess.run(["bash", "-c", script, "bash", alternatives], cwd=tree.ROOT, env=environment, check=True,
                                  capture_output=True, text=True, timeout=60).stdout.strip()

    def test_a_package_is_found_in_any_language(self):
        self.assertEqual(self.first_available("known"), "known")

    def test_of_alternatives_the_first_that_there_is(self):
        self.assertEqual(self.first_available("lost|known-b|known-c"), "known-b")

    def test_what_apt_cannot_install_is_not_found(self):
        self.assertEqual(self.first_available("lost|gone"), "")


if __name__ == "__main__":
    unittest.main()
