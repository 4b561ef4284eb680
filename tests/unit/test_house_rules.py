"""The rules that no reader should have to watch over: imports, lint, form, types, sizes."""

import ast
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("scim_bridge", "workers")
MODULES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))

MOST_LINES_OF_A_MODULE = 400
MOST_LINES_OF_A_FUNCTION = 60


def run(*command: str) -> None:
    """Run a tool of this environment over the repository; its findings are the failure."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    # The tools are no part of what is tested, so what they are told by pytest's environment must not reach them.
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}", pytrace=False)


def test_imports_keep_to_the_contracts() -> None:
    run("lint-imports", "--no-cache")


def test_ruff_finds_nothing() -> None:
    run(sys.executable, "-m", "ruff", "check", "--quiet", ".")


def test_the_code_is_formatted() -> None:
    run(sys.executable, "-m", "ruff", "format", "--check", "--quiet", ".")


def test_types_hold() -> None:
    run(sys.executable, "-m", "mypy", "--no-error-summary")


def test_no_two_files_of_tests_have_one_name() -> None:
    """Together they could not be collected, though each can by itself."""
    names = Counter(path.name for path in (REPOSITORY / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_module_is_longer_than_a_reader_bears() -> None:
    lengths = {str(path.relative_to(REPOSITORY)): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES_OF_A_MODULE} == {}


def test_no_function_is_longer_than_a_reader_bears() -> None:
    long = {
        f"{path.relative_to(REPOSITORY)}:{name}": length
        for path in MODULES
        for name, length in functions_of(path)
        if length > MOST_LINES_OF_A_FUNCTION
    }
    assert long == {}


def functions_of(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1
