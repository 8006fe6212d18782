"""What the house tests share: the files of the clone, and C++ text without its comments and literals."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def files(*patterns):
    """The files that git knows or would add, as paths relative to the root, sorted."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted({path for path in listed.split("\0") if path and (ROOT / path).is_file()})


def cpp_files(*folders):
    return [path for path in files("*.h", "*.cpp") if not folders or path.split("/")[0] in folders]


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def is_test(path):
    """Files that only tests use: x_test.cpp, fuzz targets, and the stages that tests share (testing*.h, test_*.h)."""
    name = path.rsplit("/", 1)[-1]
    return (path.startswith("tests/") or name.endswith(("_test.cpp", "_fuzz.cpp"))
            or name.startswith(("testing", "test_")))


_TOKEN = re.compile(r"""
      (?P<comment> //[^\n]* | /\*.*?\*/ )
    | (?P<raw> R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)" )
    | (?P<string> "(?:\\.|[^"\\\n])*" )
    | (?P<char> (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+' )
    """, re.VERBOSE | re.DOTALL)


def _blank(kept):
    """Replaces by spaces, so that offsets and line numbers stay."""
    return re.sub(r"[^\n]", " ", kept)


def without_comments(source):
    return _TOKEN.sub(lambda match: _blank(match[0]) if match["comment"] else match[0], source)


def bare_code(source):
    """The code alone: comments and what stands inside of literals are blanked, the quotes stay."""
    def replace(match):
        if match["comment"]:
            return _blank(match[0])
        return '"' + _blank(match[0][1:-1]) + '"' if len(match[0]) > 1 else match[0]
    return _TOKEN.sub(replace, source)


def line_of(source, offset):
    return source.count("\n", 0, offset) + 1


def places(path, source, pattern):
    """"path:line: text" of every match."""
    lines = text(path).splitlines()
    found = []
    for match in re.finditer(pattern, source):
        number = line_of(source, match.start())
        found.append(f"{path}:{number}: {lines[number - 1].strip()}")
    return found
