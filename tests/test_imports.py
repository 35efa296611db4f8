"""Who may import whom (docs: the rooms), and what ``import hwnorm`` costs."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hwnorm"
LEVELS = {
    **{"errors": 0, "files": 0, "fixed": 0, "cache": 0},
    **{"ir": 1, "units": 1, "network": 1, "synth": 1, "gates": 1},
    **{"norms": 2, "precision": 2, "schedule": 2},
    **{"views": 3, "engine": 3, "exact": 3, "operands": 3, "results": 3},
    **{"bundle": 4, "rtl": 4, "hls": 4, "check": 5, "cost": 5, "report": 6, "cli": 7},
}
FRONT_DOORS = {"__init__", "__main__"}  # they name the other rooms, lazily
ONLY_IN = {  # an optional package, and the rooms or files that may import it
    "amaranth": ("units/", "rtl/"),
    "matplotlib": ("report/",),
    "torch": ("network/torch_",),
    "onnx": ("network/onnx_",),
    "numba": ("views/compiled.py",),
    "print": ("cli/", "report/"),
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert all(alias.name != "*" for alias in node.names), f"{path}: no star imports"
            module = node.module or ""
            found += [f"{module}.{alias.name}" for alias in node.names] if module == "hwnorm" else [module]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downward(path: Path) -> None:
    here = room(path)
    if here in FRONT_DOORS:
        return
    assert here in LEVELS, f"{here} has no level: DESIGN's table says where a room stands"
    for name in imports(path):
        if name.startswith("hwnorm."):
            there = name.split(".")[1]
            assert there in LEVELS, f"{path} imports {name}, which has no level"
            assert there == here or LEVELS[there] <= LEVELS[here], f"{path} imports upward: {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_optional_packages_and_print_stay_in_their_rooms(path: Path) -> None:
    used = {name.split(".")[0] for name in imports(path)}
    calls = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call))
    used |= {"print" for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"}
    where = path.relative_to(PACKAGE).as_posix()
    for name, allowed in ONLY_IN.items():
        assert name not in used or where.startswith(allowed), f"{where} uses {name}, which belongs in {allowed}"


def test_no_room_imports_another_of_its_level_in_a_circle() -> None:
    """Levels allow neighbours; a circle of modules they do not."""
    modules = {
        ".".join(("hwnorm", *p.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): p for p in FILES
    }
    graph = {name: _run_time_imports(path, modules) for name, path in modules.items() if name != "hwnorm"}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {' -> '.join((*path, name))}"
        if name not in done:
            for there in graph.get(name, ()):
                visit(there, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def _run_time_imports(path: Path, modules: dict[str, Path]) -> set[str]:
    """What is imported when the module is: not under TYPE_CHECKING, not inside a function."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hwnorm"):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {n for n in names if n in modules} or {node.module}
    return {n for n in found if modules.get(n) != path}


HEAVY = ("amaranth", "matplotlib", "numba", "onnx", "torch")


@pytest.mark.parametrize(
    "program",
    [
        "import hwnorm",
        "from hwnorm import Engine",
        "from hwnorm import Engine; Engine('l1', 8, 2).forward([[1, 2]])",
        "from hwnorm import Engine; Engine('l1', 8, 32).count(); Engine('l2', 8, 32).count('inference')",
        "import hwnorm.norms.catalog, hwnorm.views.count, hwnorm.network.load",
        "from hwnorm.cost.estimate import estimate; from hwnorm.network.load import load_network; "
        "estimate(load_network('lenet5'), device='ecp5')",
    ],
)
def test_importing_and_counting_load_nothing_heavy(program: str) -> None:
    check = f"import sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", f"{program}\n{check}"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert found.stdout.strip() == ""


def test_import_hwnorm_alone_loads_no_numpy() -> None:
    """Names are loaded when they are first used: the program that only asks for the version pays for nothing."""
    code = "import hwnorm, sys; print(hwnorm.__version__, 'numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout.split()[1] == "False"


def test_an_unknown_name_is_an_attribute_error() -> None:
    import hwnorm

    with pytest.raises(AttributeError, match="module 'hwnorm' has no attribute 'Engin'"):
        hwnorm.Engin  # noqa: B018  # the access is what is tested
    assert all(hasattr(hwnorm, name) for name in hwnorm.__all__)


def test_every_package_is_in_the_wheel() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    present = {".".join(("hwnorm", *p.parent.relative_to(PACKAGE).parts)) for p in PACKAGE.rglob("__init__.py")} | {
        ".".join(("hwnorm", *p.parent.relative_to(PACKAGE).parts)) for p in FILES
    }
    assert present - listed == set(), "pyproject.toml, [tool.setuptools] packages"
    outside = {"hwnorm.rtl_templates": "rtl_templates", "hwnorm.sim": "sim"}  # at the top level, and shipped inside
    assert all(name in listed and (ROOT / folder / "__init__.py").exists() for name, folder in outside.items())
    for name in listed - set(outside):
        assert (ROOT / Path(*name.split("."))).is_dir()
