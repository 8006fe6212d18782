"""What a run leaves behind in bench/results: raw figures as JSON lines, settings, the table, and the picture.

Each run has files of its own, named by its time and commit; git ignores them. A run with --keep is also copied to
`latest.*`, which git keeps.
"""
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess

KEPT = "latest"


def commit_of(root):
    def git(*words):
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""
    name = git("rev-parse", "--short", "HEAD") or "unknown"
    return name + ("-changed" if git("status", "--porcelain", "--untracked-files=no") else "")


def machine():
    model = "unknown processor"
    memory_kib = 0
    for path, key in (("/proc/cpuinfo", "model name"), ("/proc/meminfo", "MemTotal")):
        for line in pathlib.Path(path).read_text(errors="replace").splitlines():
            if line.startswith(key):
                if key == "model name":
                    model = line.split(":", 1)[1].strip()
                else:
                    memory_kib = int(line.split()[1])
                break
    return {"processor": model, "cores": os.cpu_count(), "architecture": platform.machine(),
            "memory_gib": round(memory_kib / 1024 / 1024, 1), "kernel": platform.release(), "load_before": round(os.getloadavg()[0], 2)}


class Results:
    def __init__(self, folder, root, settings):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.when = now.isoformat(timespec="seconds")
        self.commit = commit_of(root)
        self.machine = machine()
        self.settings = settings
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.stem = f"{now:%Y-%m-%dT%H%M%S}-{self.commit}"

    def path(self, ending):
        return self.folder / (self.stem + ending)

    def add(self, server, turn, version, loads, texts):
        """One server's turn: written at once, so that a run that ends early has left what it had."""
        with open(self.path(".jsonl"), "a", encoding="utf-8") as out:
            out.write(json.dumps({"when": self.when, "commit": self.commit, "machine": self.machine, "server": server, "version": version,
                                  "round": turn, "settings": self.settings, "loads": loads}, ensure_ascii=False) + "\n")
        place = self.path(".settings") / server
        place.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (place / name).write_text(text, encoding="utf-8")

    def finish(self, table, picture, keep):
        head = (f"Measured {self.when} at commit {self.commit} on {self.machine['processor']}, {self.machine['cores']} cores, "
                f"{self.machine['memory_gib']} GiB, Linux {self.machine['kernel']}; medians of {self.settings['rounds']} round(s).\n\n")
        self.path(".md").write_text(head + table, encoding="utf-8")
        if picture is not None:
            self.path(".svg").write_text(picture, encoding="utf-8")
        if not keep:
            return
        for ending in (".jsonl", ".md", ".svg"):
            if self.path(ending).is_file():
                shutil.copyfile(self.path(ending), self.folder / (KEPT + ending))
        kept = self.folder / (KEPT + ".settings")
        shutil.rmtree(kept, ignore_errors=True)
        if self.path(".settings").is_dir():
            shutil.copytree(self.path(".settings"), kept)
