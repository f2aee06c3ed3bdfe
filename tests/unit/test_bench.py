"""Figures, their limits, the table, and the comparison with a stored run."""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console
from rich.table import Table

from goassist_desktop.bench import run as stored
from goassist_desktop.bench.figures import Figure, limits_held
from goassist_desktop.bench.run import Run
from goassist_desktop.bench.table import table, verdict
from goassist_desktop.cli import main
from goassist_desktop.commands import bench
from goassist_desktop.pipeline.errors import BadInput

GAP = Figure("gap", "ms", (600.0, 700.0, 500.0, 900.0), {"p50": 600, "p95": 800})
COUNT = Figure("failures", "", (0.0,), {"max": 0})
RUN = Run("counting", {"cores": "2"}, {"synthesis": "heart"}, (GAP, COUNT))


def text_of(shown: Table) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(shown)
    return capture.get()


def row_of(name: str, shown: Table) -> str:
    (row,) = [line for line in text_of(shown).splitlines() if f" {name} " in line]
    return row


# -- figures ---------------------------------------------------------------------------------------


def test_statistics_are_values_that_occurred() -> None:
    assert [GAP.statistic(name) for name in ("p50", "p95", "max", "min")] == [600, 900, 900, 500]


@pytest.mark.parametrize(
    ("limits", "missed"),
    [
        ({"p50": 600.0}, ()),
        ({"p50": 599.9}, ("p50",)),
        ({"p95": 800.0, "max": 900.0}, ("p95",)),
        ({"min": 500.0}, ()),
        ({"min": 500.1}, ("min",)),
    ],
)
def test_a_limit_is_held_up_to_and_including_its_value(
    limits: dict[str, float], missed: tuple[str, ...]
) -> None:
    assert replace(GAP, limits=limits).missed == missed


def test_what_was_never_measured_keeps_no_promise() -> None:
    nothing = Figure("gap", "ms", (), {"p50": 600, "min": 0})
    assert nothing.median is None
    assert nothing.missed == ("p50", "min")


def test_a_limit_on_what_is_no_statistic_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="p99"):
        Figure("gap", "ms", (), {"p99": 600})


def test_the_limits_that_hold_are_counted_over_all_figures() -> None:
    assert limits_held([GAP, COUNT, Figure("memory", "MB", (3.0,))]) == (2, 3)


# -- table -----------------------------------------------------------------------------------------


def test_a_missed_limit_is_marked_and_a_held_one_too() -> None:
    row = row_of("gap", table("t", [GAP, COUNT]))
    assert "p50 ≤ 600 ✓" in row
    assert "p95 ≤ 800 ✗ MISSED" in row
    assert "≤ 0 ✓" in row_of("failures", table("t", [GAP, COUNT]))


def test_a_single_value_has_no_distribution() -> None:
    assert row_of("failures", table("t", [COUNT])).count(" 0 ") == 2  # the value and its limit


def test_ratios_are_shown_where_there_are_some() -> None:
    shown = table("t", [GAP, COUNT], {"gap": 0.5})
    assert "0.50" in row_of("gap", shown)
    assert "ratio" not in text_of(table("t", [GAP]))


def test_the_last_line_counts_the_limits_and_names_the_missed() -> None:
    assert verdict([GAP, COUNT]) == "2 of 3 limits hold; missed: gap p95"
    assert verdict([COUNT]) == "1 of 1 limits hold"
    assert verdict([replace(COUNT, limits={})]) == "no limit is promised here"


# -- a stored run ----------------------------------------------------------------------------------


def kept(tmp_path: Path, run: Run) -> Path:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run.as_dict()), "utf-8")
    return path


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    read = stored.read(kept(tmp_path, RUN), "counting")
    assert (read.kind, read.machine, read.models) == (RUN.kind, RUN.machine, RUN.models)
    assert [(f.name, f.unit, f.values) for f in read.figures] == [
        (f.name, f.unit, f.values) for f in RUN.figures
    ]


def test_the_file_says_medians_percentiles_limits_and_what_missed() -> None:
    gap = RUN.as_dict()["figures"][0]
    assert (gap["n"], gap["p50"], gap["p95"]) == (4, 600, 900)
    assert (gap["limits"], gap["missed"]) == ({"p50": 600, "p95": 800}, ["p95"])


def test_ratios_are_of_medians_and_only_of_figures_on_both_sides() -> None:
    before = replace(
        RUN,
        figures=(
            Figure("gap", "ms", (1200.0,)),
            COUNT,  # a median of 0 has no ratio
            Figure("threads", "", (20.0,)),
            Figure("memory", "MB", (10.0,)),
            Figure("gone", "ms", (1.0,)),
            Figure("empty", "ms", ()),
        ),
    )
    now = replace(
        RUN,
        figures=(
            GAP,
            COUNT,
            Figure("threads", "", (30.0,)),
            Figure("memory", "GB", (1.0,)),
            Figure("empty", "ms", (1.0,)),
        ),
    )
    assert now.ratios(before) == {"gap": 0.5, "threads": 1.5}


def test_what_differs_of_machine_and_models_is_named() -> None:
    other = replace(RUN, machine={"cores": "8", "memory": "4 GB"}, models={"synthesis": "joe"})
    assert RUN.differences(other) == [
        "cores was 8, is 2",
        "memory was 4 GB, is unknown",
        "synthesis was joe, is heart",
    ]
    assert RUN.differences(RUN) == []


def test_this_machine_is_named_in_full() -> None:
    machine = stored.this_machine()
    assert set(machine) == {"processor", "cores", "memory", "Python"}
    assert all(machine.values())


WHOLE = RUN.as_dict()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not a stored run"),
        ("[]", "not a stored run"),
        ('{"format": 2}', '"format": 1 is missing'),
        (json.dumps(WHOLE | {"kind": "other"}), "'other'"),
        (json.dumps({k: v for k, v in WHOLE.items() if k != "figures"}), "'figures' is missing"),
        (json.dumps(WHOLE | {"figures": 3}), "not a stored run"),
        (json.dumps(WHOLE | {"figures": ["gap"]}), "not a stored run"),
        (json.dumps(WHOLE | {"machine": "mine"}), "not a stored run"),
        (
            json.dumps(WHOLE | {"figures": [{"name": "gap", "unit": "", "values": ["fast"]}]}),
            "gap: 'fast' is not a number",
        ),
        (
            json.dumps(WHOLE | {"figures": [{"name": "gap", "unit": "", "values": [math.nan]}]}),
            "gap: nan is not a number",
        ),
    ],
)
def test_what_is_no_stored_run_is_refused_with_the_file_named(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "run.json"
    path.write_text(content, "utf-8")
    with pytest.raises(BadInput) as refused:
        stored.read(path, "counting")
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_what_can_not_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=r"run\.json"):
        stored.read(path, "counting")


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> list[argparse.Namespace]:
    """A kind that counts how often it measured."""
    measured: list[argparse.Namespace] = []
    module = ModuleType("goassist_desktop.bench.counting_up")

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--start", type=float, default=1.0)

    def measure(config: object, args: argparse.Namespace, console: Console) -> list[Figure]:
        measured.append(args)
        return [Figure("steps", "ms", (args.start, 2.0, 9.0), {"max": 5})]

    module.add_arguments = add_arguments  # type: ignore[attr-defined]
    module.measure = measure  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(bench.KINDS, "counting-up", "counts")
    monkeypatch.setenv("GOASSIST_CONFIG", "/dev/null")
    return measured


def test_a_missed_limit_is_a_result_and_no_failure(
    counting: list[argparse.Namespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "now.json"
    assert main(["bench", "counting-up", "--start", "3", "--json", str(file)]) == 0
    said = capsys.readouterr().out
    assert "0 of 1 limits hold; missed: steps max" in said
    assert "cores" in said
    assert "qwen2.5" in said
    content = json.loads(file.read_text("utf-8"))
    assert content["kind"] == "counting-up"
    assert content["figures"][0]["values"] == [3.0, 2.0, 9.0]
    assert content["figures"][0]["missed"] == ["max"]
    assert "language_model" in content["models"]
    assert "processor" in content["machine"]


def test_a_run_is_compared_with_an_earlier_one(
    counting: list[argparse.Namespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "before.json"
    main(["bench", "counting-up", "--start", "6", "--json", str(file)])
    capsys.readouterr()
    assert main(["bench", "counting-up", "--start", "3", "--against", str(file)]) == 0
    said = capsys.readouterr().out
    assert "0.50" in said
    assert "unlike" not in said


def test_unlike_runs_are_compared_and_the_difference_is_said(
    counting: list[argparse.Namespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "before.json"
    main(["bench", "counting-up", "--json", str(file)])
    content = json.loads(file.read_text("utf-8"))
    content["machine"]["cores"] = "64"
    content["models"]["language_model"] = "gpt-2"
    file.write_text(json.dumps(content), "utf-8")
    capsys.readouterr()
    assert main(["bench", "counting-up", "--against", str(file)]) == 0
    said = capsys.readouterr().out
    assert "cores was 64" in said
    assert "language_model was gpt-2" in said


def test_bad_input_is_refused_before_anything_is_measured(
    counting: list[argparse.Namespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, other = tmp_path / "good.json", tmp_path / "other.json"
    assert main(["bench", "counting-up", "--json", str(good)]) == 0
    other.write_text(json.dumps(WHOLE), "utf-8")
    before = good.read_bytes()
    counting.clear()
    for arguments, said in [
        (["--against", str(tmp_path / "none.json")], "none.json: No such file"),
        (["--against", str(other)], "'counting'"),
        (["--json", str(tmp_path / "no" / "folder.json")], "folder.json: No such file"),
        (["--json", str(good), "--against", str(good)], "would be overwritten"),
        (["--set", "reply.max_tokens=none"], "reply.max_tokens"),
    ]:
        assert main(["bench", "counting-up", *arguments]) == 2
        assert said in capsys.readouterr().err
    assert counting == []
    assert good.read_bytes() == before


def test_a_kind_that_is_not_known_is_refused_and_the_known_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "nothing"])
    assert ended.value.code == 2
    assert "latency" in capsys.readouterr().err


def test_a_kind_is_imported_only_when_it_was_chosen() -> None:
    code = (
        "import sys\n"
        "from goassist_desktop.cli import main\n"
        "assert main(['models', 'path']) == 0\n"
        "loaded = [name for name in sys.modules if name.startswith('goassist_desktop.bench.')]\n"
        "assert sorted(loaded) == ['goassist_desktop.bench.figures', 'goassist_desktop.bench.run',"
        " 'goassist_desktop.bench.table'], loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("kind", bench.KINDS)
def test_every_kind_explains_itself(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", kind, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "--json" in said
    assert "--against" in said
