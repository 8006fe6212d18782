"""The pages speak of files that exist, and of commands that there are."""
import re
import subprocess
import unittest

import tree

PAGES = tree.files("*.md")
GENERATED = {"docs/configuration.md", "docs/xeps.md"}
FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:cpp|h|txt|py|md|toml|service|sh)|[\w-]+/(?:[\w-]+/)*)`")
# Files of a running server, or examples of where a reader's own things would lie.
ELSEWHERE = ("docs/admin.md",)


class Pages(unittest.TestCase):
    def test_the_files_that_a_page_names_exist(self):
        known = set(tree.files())
        folders = {path[:end.start() + 1] for path in known for end in re.finditer("/", path)}
        missing = []
        for page in PAGES:
            if page in ELSEWHERE or page in GENERATED or page.startswith("bench/"):
                continue
            for name in FILE.findall(tree.text(page)):
                if name.startswith("build/"):
                    continue
                places = (name, f"src/{name}", f"docs/{name}", f"{page.rsplit('/', 1)[0]}/{name}" if "/" in page else name)
                if not any(place in known or place in folders for place in places):
                    missing.append(f"{page}: {name}")
        self.assertEqual(missing, [])

    def test_every_room_is_described(self):
        page = tree.text("ARCHITECTURE.md")
        rooms = re.findall(r"^([a-z]+):", tree.text("docs/arrows.txt"), re.MULTILINE)
        self.assertEqual([room for room in rooms if f"| `{room}/` |" not in page], [])

    def test_every_command_that_a_page_shows_is_one_of_dev(self):
        usage = subprocess.run(["bash", tree.ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
        commands = set(re.findall(r"^  ([a-z]+) ", usage, re.MULTILINE))
        self.assertIn("test", commands)
        wrong = [f"{page}: ./dev {word}" for page in PAGES for word in re.findall(r"(?:^    |`)\./dev ([a-z]+)", tree.text(page), re.MULTILINE)
                 if word not in commands]
        self.assertEqual(wrong, [])

    def test_the_scripts_can_be_read_by_bash(self):
        for script in ["dev", ".ci/run", *tree.files("dev.d/*.sh")]:
            subprocess.run(["bash", "-n", tree.ROOT / script], check=True)

    def test_the_list_of_packages_is_well_formed(self):
        for line in tree.text("packaging/debian-packages.txt").splitlines():
            if line and not line.startswith("#"):
                self.assertRegex(line, r"^(build|gcc|test|scenarios|lint|gajim|bench) +[a-z0-9.+|-]+$")


if __name__ == "__main__":
    unittest.main()
