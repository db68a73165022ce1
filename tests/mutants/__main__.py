"""Change the code in small ways, one at a time, and count the changes that a test notices: `python -m tests.mutants`.

mutmut makes the changes (mutants) in a copy of the project, module by module, and runs the tests of modules.py on each.
A survivor that survivors.txt lists with a reason is not counted; any other one is printed.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from .modules import DESELECTED, MODULES, PATTERNS, SAMPLED

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
KILLED, SURVIVED = "killed", "survived"
OUTCOMES = {1: KILLED, 3: KILLED, 0: SURVIVED, 5: SURVIVED, 33: SURVIVED}
COPIED = ("containerkit", "tests", "docs", "examples", "engines", "benchmarks")


def copy_project(folder: Path) -> None:
    """Copy what the tests need; caches and results stay."""
    ignored = shutil.ignore_patterns("__pycache__", "mutants")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for path in (*ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "noxfile.py", ROOT / "pyproject.toml"):
        shutil.copy(path, folder)


def configure(folder: Path, pattern: str, tests: Sequence[str]) -> None:
    """Tell mutmut which module to change, and which tests to run."""
    arguments = ["-q", "-p", "no:cacheprovider"]
    for name in DESELECTED:
        arguments += ["--deselect", name]
    settings = {
        "source_paths": ["containerkit"],
        "only_mutate": [pattern],
        "also_copy": [name for name in COPIED if name not in ("containerkit", "tests")] + ["README.md", "noxfile.py"],
        "pytest_add_cli_args": arguments,
        "pytest_add_cli_args_test_selection": [test for test in tests if (folder / test).exists()],
        "do_not_mutate_patterns": list(PATTERNS),
    }
    text = (ROOT / "pyproject.toml").read_text()
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    lines.append("use_git_change_detection = false")
    (folder / "pyproject.toml").write_text(text + "\n[tool.mutmut]\n" + "\n".join(lines) + "\n")


NAMES = """
import sys
from pathlib import Path
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name
for name in sys.argv[1:]:
    for mutant in mutate_file_contents(name, Path(name).read_text()).mutant_names:
        print(get_mutant_name(Path(name), mutant))
"""


def names_of(folder: Path, pattern: str) -> list[str]:
    """Return the name of every mutant of the modules of a pattern."""
    files = sorted(str(path.relative_to(folder)) for path in (folder / "containerkit").rglob("*.py"))
    found = [name for name in files if fnmatch(name, pattern)]
    if not found:
        return []
    done = subprocess.run([sys.executable, "-c", NAMES, *found], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.split()


def run(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Run the tests on each of these mutants; return what became of it."""
    done = subprocess.run(
        [MUTMUT, "run", *names], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    results: dict[str, str] = {}
    for path in (folder / "mutants").rglob("*.meta"):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        results |= {name: OUTCOMES.get(code, "timeout") for name, code in codes.items() if code is not None}
    if not set(names) <= set(results):
        lines = [line for line in done.stdout.splitlines() if "Running" not in line and "Generating" not in line]
        raise SystemExit("mutmut failed:\n" + "\n".join(lines[-40:]))
    return {name: results[name] for name in names}


def change(folder: Path, name: str) -> str:
    """Return a mutant as one line: the module's file, the line before, the line after."""
    shown = subprocess.run([MUTMUT, "show", name], cwd=folder, capture_output=True, text=True, check=True).stdout
    lines = shown.splitlines()
    before = [line[1:].strip() for line in lines if line.startswith("-") and not line.startswith("---")]
    after = [line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++")]
    module = name.rpartition(".")[0].replace(".", "/")
    return f"{module}: {' '.join(before)} -> {' '.join(after)}"


def accepted() -> set[str]:
    """Return the survivors that survivors.txt gives a reason for."""
    lines = (HERE / "survivors.txt").read_text().splitlines()
    return {line for line in lines if line and not line.startswith(("#", " "))}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty folder to work in")
    parser.add_argument("--sample", type=int, default=0, help="mutants of each quick module; 0: all of all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="a part of a module's path")
    parser.add_argument("--least", type=float, default=0.9, help="the share that has to be killed")
    args = parser.parse_args()
    folder = args.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    copy_project(folder)
    excused, total, unexcused = accepted(), Counter[str](), []
    for pattern, tests in MODULES.items():
        if args.only not in pattern or (args.sample and not args.only and not any(word in pattern for word in SAMPLED)):
            continue
        began = time.monotonic()
        shutil.rmtree(folder / "mutants", ignore_errors=True)
        configure(folder, pattern, tests)
        names = names_of(folder, pattern)
        if args.sample:
            names = random.Random(args.seed).sample(names, min(args.sample, len(names)))
        if not names:
            continue
        results = run(folder, names)
        survivors = {name: change(folder, name) for name, outcome in results.items() if outcome == SURVIVED}
        known = [name for name, text in survivors.items() if text in excused]
        unexcused += sorted(text for text in survivors.values() if text not in excused)
        counts = Counter(outcome for name, outcome in results.items() if name not in known)
        total += counts
        caught = counts.total() - counts[SURVIVED]
        seconds = time.monotonic() - began
        print(
            f"{pattern:<40} {caught:>5} of {counts.total():<5} {caught / max(1, counts.total()):>4.0%} {seconds:5.0f} s"
        )
    print("\n".join(unexcused))
    share = 1 - total[SURVIVED] / max(1, total.total())
    print(
        f"killed {total.total() - total[SURVIVED]} of {total.total()} mutants: {share:.1%}, at least {args.least:.0%}"
    )
    return 0 if share >= args.least else 1


if __name__ == "__main__":
    sys.exit(main())
