"""A turn is cancelled in one place. This reads the source, and fails where a second way appears."""

from __future__ import annotations

import ast
from pathlib import Path

import goassist_desktop

ROOT = Path(goassist_desktop.__file__).parent
FORBIDDEN = ("cancel", "abort", "interrupt")


def calls_of(tree: ast.AST, name: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
    ]


def test_engines_have_no_way_to_cancel() -> None:
    engines = list((ROOT / "pipeline" / "engines").glob("*.py"))
    assert engines
    for path in engines:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert not node.name.lstrip("_").startswith(FORBIDDEN), f"{path.name}: {node.name}"


def test_a_turn_is_cancelled_by_one_call_of_the_session() -> None:
    """`Turn.cancel` is the only cancel with an argument: its reason."""
    calls = [
        (path.name, call.lineno)
        for path in ROOT.rglob("*.py")
        for call in calls_of(ast.parse(path.read_text()), "cancel")
        if call.args or call.keywords
    ]
    assert [name for name, _ in calls] == ["session.py"]
    session = ast.parse((ROOT / "pipeline" / "session.py").read_text())
    (carry_out,) = (
        node
        for node in ast.walk(session)
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "_carry_out"
    )
    assert len([call for call in calls_of(carry_out, "cancel") if call.args]) == 1


def test_the_table_is_the_only_way_to_change_the_state() -> None:
    for path in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Assign):
                continue
            for target in node.targets:
                for part in ast.walk(target):
                    if isinstance(part, ast.Attribute) and part.attr == "state":
                        assert path.name == "session.py", f"{path.name}:{node.lineno}"
                        start = ast.unparse(node.value)
                        assert start in ("State.IDLE", "step(before, event)"), start
