"""The house rules that no linter knows. Each test lists every place that breaks its rule."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
FILE_LINES_MAX: Final = 400
FUNCTION_LINES_MAX: Final = 60
DOCSTRING_CHARACTERS_MAX: Final = 100
README_LINES_MAX: Final = 120
CONTRIBUTING_LINES_MAX: Final = 60

BANNED_WORDS: Final = {
    *("util", "utils", "helper", "helpers", "misc", "manager", "handler", "processor", "impl", "base"),
    *("new", "v2", "advanced", "enhanced"),
}
# Names that a banned word fits after all, each with its reason.
NAMED_ANYWAY: Final = {"common/messages/base.py": "it holds the base class of all messages"}
# Packages whose modules are one thing to test: what has no test file of its own is tested there.
TESTED_TOGETHER: Final = {
    "common/messages": "tests/common/messages/test_messages.py",
    "common/witness_check": "tests/common/witness_check/test_check.py",
    # One machine in parts: each rule of a part is a transcript of the whole, in the words of its users.
    "services/order_management": "tests/services/order_management/test_core.py",
    "services/risk": "tests/services/risk/test_core.py",
    "services/venue_sim": "tests/services/venue_sim/test_core.py",
    # What a trial provokes, a whole mesh has to show: tests/mesh/test_drill.py.
    "services/cli/drill": "tests/services/cli/drill/test_run.py",
}
CHANCE_AND_CLOCK: Final = {
    *("time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "utcnow", "today"),
    *("uuid4", "urandom", "token_hex", "token_bytes"),
}
# Text that only says where somebody's files or packages came from; spelled so that this file does not hold it.
MACHINE_TEXT: Final = re.compile(
    r"(?<![\w.$}])/(?:work|root|home)" + r"/|pypi\.(?:org)|python(?:hosted)\.|files\.pytho[n]"
)
NOT_OURS: Final = {".git", ".venv", "var", "build", "__pycache__", ".hypothesis"}
UNFINISHED: Final = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X])\b")
SILENCED: Final = re.compile(r"#\s*(?:noqa|type:\s*ignore|ruff:\s*noqa|pragma)\b[^#]*$")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def found(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.stat().st_size)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


SOURCES: Final = found("common", "services")
EVERYTHING: Final = [*SOURCES, *found("tests", ".ci")]


def none(places: list[str]) -> None:
    assert not places, "\n  " + "\n  ".join(places)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def texts() -> Iterator[Path]:
    """Every text file of ours, whatever its language."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if (
            path.is_file()
            and not NOT_OURS & set(parts)
            and not any(part.endswith(("_cache", "-info")) for part in parts)
        ):
            yield path


def module_path(module: str) -> list[Path]:
    """Return the files that a module pattern of pyproject.toml names, its submodules included."""
    pattern = module.replace(".", "/")
    return sorted([*ROOT.glob(f"{pattern}.py"), *ROOT.glob(f"{pattern}/**/*.py")])


def pure_modules() -> list[Path]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = {contract["name"]: contract for contract in project["tool"]["importlinter"]["contracts"]}
    return [path for module in contracts["cores are pure"]["source_modules"] for path in module_path(module)]


def test_files_are_short() -> None:
    """A longer file misses a noun."""
    long = [
        f"{name(path)} has {lines}"
        for path in EVERYTHING
        if (lines := len(path.read_text().splitlines())) > FILE_LINES_MAX
    ]
    none(long)


def test_functions_are_short() -> None:
    """A longer function misses a name for one of its parts."""
    long = [
        f"{name(path)}:{node.lineno} {node.name} has {length} lines"
        for path in EVERYTHING
        for node in functions(path)
        if (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    none(long)


def test_modules_say_their_job() -> None:
    """The first line of a module's docstring tells its job at a glance."""
    silent = []
    for path in EVERYTHING:
        first = (ast.get_docstring(tree(path)) or "").split("\n", 1)[0]
        if not first or len(first) > DOCSTRING_CHARACTERS_MAX:
            silent.append(f"{name(path)}: {len(first)} characters")
    none(silent)


def test_tests_say_their_point() -> None:
    """A test without a docstring says only that something happens."""
    silent = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in found("tests")
        for node in functions(path)
        if path.name.startswith("test_") and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    none(silent)


def test_names_are_nouns_of_the_domain() -> None:
    """Words that fit everything name nothing, neither a file nor a class."""
    vague = []
    for path in EVERYTHING:
        if set(path.stem.lower().split("_")) & BANNED_WORDS and name(path) not in NAMED_ANYWAY:
            vague.append(name(path))
        classes = (node.name for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef))
        words = {title: set(re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", title)) for title in classes}
        vague += [f"{name(path)}: {title}" for title in words if {word.lower() for word in words[title]} & BANNED_WORDS]
    none(vague)


def does_something(path: Path) -> bool:
    """Whether a module has a function with a body; a protocol or a list of types has nothing to test."""
    return any(
        not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for node in functions(path)
        for statement in node.body
    )


def test_tests_mirror_the_tree() -> None:
    """Whoever looks for the test of a module knows where it is, and sees when there is none."""
    untested = []
    for path in SOURCES:
        if path.stem in {"__init__", "__main__"} or not does_something(path):
            continue
        inside = path.relative_to(ROOT)
        test = ROOT / "tests" / inside.parent / f"test_{path.name}"
        together = TESTED_TOGETHER.get(inside.parent.as_posix())
        if not test.exists() and not (together and (ROOT / together).exists()):
            untested.append(f"{name(path)} needs {name(test)}")
    none(untested)


def test_no_machine_is_named() -> None:
    """The tree works wherever it lies: no path of somebody's machine, no host that packages came from."""
    local = [
        f"{name(path)}:{number} {line.strip()[:80]}"
        for path in texts()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if MACHINE_TEXT.search(line)
    ]
    none(local)


def test_cores_read_no_clock_and_draw_no_lots() -> None:
    """Time, chance and identity are arguments, also where they could be had without an import."""
    pure = pure_modules()
    assert ROOT / "common/units.py" in pure, "the list in pyproject.toml is read wrongly"
    hidden = [
        f"{name(path)}:{node.lineno}"
        for path in pure
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Attribute) and node.attr in CHANCE_AND_CLOCK)
        or (isinstance(node, ast.Name) and node.id in CHANCE_AND_CLOCK)
    ]
    none(hidden)


def is_set(node: ast.expr) -> bool:
    made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"set", "frozenset"}
    return made or isinstance(node, ast.Set | ast.SetComp)


def test_no_set_decides_an_order() -> None:
    """The order of a set differs from process to process: sort it first."""
    loops = ast.For | ast.comprehension
    loose = [
        f"{name(path)}:{node.iter.lineno}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, loops) and is_set(node.iter)
    ]
    none(loose)


def test_nothing_is_left_for_later() -> None:
    """A promise in a comment is kept by nobody."""
    later = [name(path) for path in texts() if UNFINISHED.search(path.read_text(errors="replace"))]
    none(later)


def test_silenced_checks_say_why() -> None:
    """A silenced linter or type checker has its reason on the same line."""
    mute = [
        f"{name(path)}:{number} {line.strip()[:80]}"
        for path in EVERYTHING
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if SILENCED.search(line)
    ]
    none(mute)


def test_front_pages_are_short() -> None:
    """A page that is read at all fits a few screens."""
    limits = {"README.md": README_LINES_MAX, "CONTRIBUTING.md": CONTRIBUTING_LINES_MAX}
    long = [
        f"{page} has {lines}"
        for page, limit in limits.items()
        if (lines := len((ROOT / page).read_text().splitlines())) > limit
    ]
    none(long)
