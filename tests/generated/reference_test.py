"""The generated pages in the repository are what this kithd prints."""
import os
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
KITHD = pathlib.Path(os.environ.get("KITH_BUILD", ROOT / "build" / "dev")) / "bin" / "kithd"


class Reference(unittest.TestCase):
    maxDiff = 4000

    def check(self, which, path):
        printed = subprocess.run([KITHD, "--print-reference", which], capture_output=True, text=True, timeout=60, check=True).stdout
        self.assertTrue(printed.strip(), f"kithd --print-reference {which} printed nothing")
        there = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else ""
        self.assertEqual(there, printed, f"write it anew: build/dev/bin/kithd --print-reference {which} > {path}")

    def test_configuration(self):
        self.check("configuration", "docs/configuration.md")

    def test_specifications(self):
        self.check("xeps", "docs/xeps.md")

    def test_doap(self):
        self.check("doap", "doap.xml")
        import xml.etree.ElementTree as ET
        ET.parse(ROOT / "doap.xml")


class Links(unittest.TestCase):
    def test_links_between_the_pages_lead_somewhere(self):
        import re
        dead = []
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
            for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
                if not target.startswith(("http://", "https://", "mailto:")) and not (page.parent / target).exists():
                    dead.append(f"{page.relative_to(ROOT)}: {target}")
        self.assertEqual(dead, [])


if __name__ == "__main__":
    unittest.main()
