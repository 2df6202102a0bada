r"""Reading problems: real files where they are, made-up ones for every format and every error."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from trapo_core import arithmetic
from trapo_core.data import Problem, gsm8k_trace, load_problems, resolve_path
from trapo_core.errors import DataError
from trapo_core.sources import FileData, SmallWorldData

ROOT = Path(__file__).parents[2]
DATA_DIR = Path(os.environ.get("TRAPO_DATA_DIR", ROOT.parent / "shared" / "data"))

VALID_ROW = {
    "data_source": "aime",
    "prompt": [{"role": "system", "content": "Be thorough."}, {"role": "user", "content": "What is $1+1$?"}],
    "reward_model": {"ground_truth": "$2$", "style": "rule"},
    "extra_info": {"index": 0, "split": "default"},
}
OPENR1_ROW = VALID_ROW | {"target": [{"role": "assistant", "content": "<think>\none\n</think>\n\\boxed{2}\n"}]}
GSM8K_ROW = {"question": "How much?", "answer": "He has 2*3=<<2*3=6>>6.\nThen 6-5=<<6-5=1>>1 thousand.\n#### 1,000"}
PLAIN_ROW = {"prompt": "1+1?", "answer": "2"}
ROWS: dict[str, dict[str, Any]] = {"valid": VALID_ROW, "openr1": OPENR1_ROW, "gsm8k": GSM8K_ROW, "jsonl": PLAIN_ROW}


def write(folder: Path, *rows: Any, name: str = "some.jsonl") -> Path:
    path = folder / name
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def load(path: Path, file_format: str, **more: Any) -> list[Problem]:
    source = FileData.model_validate({"format": file_format, "path": path.name, **more})
    return load_problems(source, path.parent)


def changed(row: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """`row` with a dotted field replaced, or dropped where value is Ellipsis."""
    first, _, rest = field.partition(".")
    if rest:
        return row | {first: changed(row[first], rest, value)}
    return {k: v for k, v in row.items() if k != first} | ({} if value is ... else {first: value})


# ----------------------------------------------------------------------------------------------------- real files


def real(path: str, file_format: str) -> list[Problem]:
    if not (DATA_DIR / path).is_file():
        pytest.skip(f"no {DATA_DIR / path}; set TRAPO_DATA_DIR")
    return load_problems(FileData.model_validate({"format": file_format, "path": path}), DATA_DIR)


@pytest.mark.parametrize(("name", "count"), [("train", 7473), ("test", 1319)])
def test_gsm8k_is_read_whole(name: str, count: int) -> None:
    problems = real(f"gsm8k/{name}.jsonl", "gsm8k")
    assert len(problems) == count
    assert all(problem.answer.removeprefix("-").isdigit() for problem in problems)
    assert all(problem.traces[0].endswith(f"\\boxed{{{problem.answer}}}.") for problem in problems)
    assert not any(mark in problem.traces[0] for problem in problems for mark in ("<<", ">>", "####"))


def test_the_first_gsm8k_problem_word_for_word() -> None:
    problem = real("gsm8k/train.jsonl", "gsm8k")[0]
    assert problem.id == "train-1"
    assert problem.prompt.startswith("Natalia sold clips to 48 of her friends in April")
    assert problem.answer == "72"
    assert problem.traces == (
        "Natalia sold 48/2 = 24 clips in May.\n"
        "Natalia sold 48+24 = 72 clips altogether in April and May.\n"
        "The answer is \\boxed{72}.",
    )


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("aime", 30),
        ("aime25", 30),
        ("amc", 83),
        ("math", 500),
        ("minerva", 272),
        ("olympiad_bench", 675),
        ("arc_c", 1172),
    ],
)
def test_benchmarks_are_folded_to_unique_problems(name: str, count: int) -> None:
    problems = real(f"benchmarks/{name}.parquet", "valid")
    assert len(problems) == len({problem.id for problem in problems}) == count
    assert len({problem.prompt for problem in problems}) == count
    assert not any("systematic, thorough reasoning" in problem.prompt for problem in problems)
    assert not any(problem.traces for problem in problems)


def test_benchmarks_keep_order_and_answers_word_for_word() -> None:
    assert [p.answer for p in real("benchmarks/aime.parquet", "valid")[:3]] == ["204", "025", "809"]
    assert real("benchmarks/aime.parquet", "valid")[1].id == "aime-33"  # the 33rd row is the second problem's first
    assert real("benchmarks/amc.parquet", "valid")[0].answer == "142.0"
    assert sum("$" in p.answer for p in real("benchmarks/olympiad_bench.parquet", "valid")) == 266
    arc = real("benchmarks/arc_c.parquet", "valid")
    assert {p.answer for p in arc} == set("ABCD1234")  # 22 problems number their options
    assert all(f"\n{p.answer}) " in p.prompt for p in arc)


# ------------------------------------------------------------------------------------------------------- the formats


def test_gsm8k_makes_one_trace_that_boxes_the_answer(tmp_path: Path) -> None:
    assert load(write(tmp_path, GSM8K_ROW), "gsm8k") == [
        Problem("some-1", "How much?", "1000", ("He has 2*3=6.\nThen 6-5=1 thousand.\nThe answer is \\boxed{1000}.",))
    ]


def test_a_solution_without_words_is_its_last_line() -> None:
    assert gsm8k_trace("", "5") == "\nThe answer is \\boxed{5}."


@pytest.mark.parametrize("name", ["some.jsonl", "some.parquet"])
@pytest.mark.parametrize("file_format", ROWS)
def test_every_format_is_read_from_json_lines_and_parquet(tmp_path: Path, file_format: str, name: str) -> None:
    first = load(write(tmp_path, ROWS[file_format]), file_format)
    assert load(write(tmp_path, ROWS[file_format], name=name), file_format) == first
    assert len(first) == 1


def test_openr1_keeps_the_trace_as_it_is_and_drops_the_system_prompt(tmp_path: Path) -> None:
    [problem] = load(write(tmp_path, OPENR1_ROW), "openr1")
    assert problem == Problem("some-1", "What is $1+1$?", "$2$", ("<think>\none\n</think>\n\\boxed{2}\n",))


@pytest.mark.parametrize("name", ["some.jsonl", "some.parquet"])
def test_openr1_takes_its_traces_from_the_answer_list_and_counts_them_there(tmp_path: Path, name: str) -> None:
    target = OPENR1_ROW["target"][0]["content"]
    for listed in (["<think>one</think>", "<think>two</think>"], ["<think>one</think>", target], [target.strip()]):
        row = changed(OPENR1_ROW, "extra_info.answer_list", listed)
        [problem] = load(write(tmp_path, row, name=name), "openr1")
        assert problem.traces == tuple(listed)


def test_openr1_needs_no_target_beside_an_answer_list_and_takes_a_repeated_trace_once(tmp_path: Path) -> None:
    row = changed(changed(OPENR1_ROW, "target", ...), "extra_info.answer_list", ["one", "one"])
    [problem] = load(write(tmp_path, row), "openr1")
    assert problem.traces == ("one",)


@pytest.mark.parametrize("extra", [None, {"index": 0}, {"answer_list": None}, {"answer_list": []}])
def test_openr1_tolerates_one_trace(tmp_path: Path, extra: Any) -> None:
    [problem] = load(write(tmp_path, OPENR1_ROW | {"extra_info": extra}), "openr1")
    assert len(problem.traces) == 1


def test_valid_has_no_traces_and_keeps_dollars(tmp_path: Path) -> None:
    assert load(write(tmp_path, VALID_ROW), "valid") == [Problem("some-1", "What is $1+1$?", "$2$")]


@pytest.mark.parametrize(
    ("more", "traces"),
    [
        ({}, ()),
        ({"trace": "two"}, ("two",)),
        ({"traces": ["b", "a", "b"]}, ("b", "a")),
        ({"traces": [], "trace": None}, ()),
    ],
)
def test_plain_rows_have_no_one_or_more_traces(tmp_path: Path, more: dict[str, Any], traces: tuple[str, ...]) -> None:
    assert load(write(tmp_path, PLAIN_ROW | more), "jsonl") == [Problem("some-1", "1+1?", "2", traces)]


@pytest.mark.parametrize(("answer", "text"), [(2, "2"), (2.5, "2.5"), (-1, "-1"), (" 2 ", " 2 ")])
def test_a_plain_answer_may_be_a_number(tmp_path: Path, answer: Any, text: str) -> None:
    assert load(write(tmp_path, {"prompt": "?", "answer": answer}), "jsonl")[0].answer == text


def test_repeated_rows_are_one_problem_with_all_their_traces(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a", "answer": "1", "trace": "x"},
        {"prompt": "b", "answer": "2"},
        {"prompt": "a", "answer": "1", "trace": "y"},
        {"prompt": "a", "answer": "1", "trace": "x"},
        {"prompt": "a", "answer": "3"},
    ]
    assert load(write(tmp_path, *rows), "jsonl") == [
        Problem("some-1", "a", "1", ("x", "y")),
        Problem("some-2", "b", "2"),
        Problem("some-5", "a", "3"),  # another answer: another problem
    ]


def test_limit_counts_unique_problems_and_stops_reading(tmp_path: Path) -> None:
    rows = [{"prompt": str(i // 3), "answer": "1"} for i in range(30)]
    path = write(tmp_path, *rows)
    path.write_text(path.read_text() + "broken\n")
    assert [p.prompt for p in load(path, "jsonl", limit=2)] == ["0", "1"]
    with pytest.raises(DataError, match="line 31"):
        load(path, "jsonl", limit=11)


def test_many_parquet_rows_are_numbered_through(tmp_path: Path) -> None:
    rows = [{"prompt": str(i), "answer": "1"} for i in range(1300)]
    assert [p.id for p in load(write(tmp_path, *rows, name="n.parquet"), "jsonl")] == [
        f"n-{i + 1}" for i in range(1300)
    ]


def test_blank_lines_a_byte_order_mark_and_windows_line_ends_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"prompt": "\\u2028x", "answer": "1"}\r\n\r\n  \n{"prompt": "y\xe2\x80\xa8", "answer": "2"}'
    )
    assert load(path, "jsonl") == [Problem("some-1", "\u2028x", "1"), Problem("some-4", "y\u2028", "2")]


@pytest.mark.parametrize("task", ["chains", "facts"])
def test_the_small_world_is_made_on_the_fly(task: Any, tmp_path: Path) -> None:
    source = SmallWorldData(task=task, problems=20, seed=3)
    problems = load_problems(source, tmp_path / "not needed")
    assert [(p.id, p.prompt, p.answer, *p.traces) for p in problems] == arithmetic.make_problems(source)
    assert len(problems) == 20


# ---------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("file_format", "field", "value", "named"),
    [
        ("gsm8k", "question", ..., "question: is missing"),
        ("gsm8k", "question", " \n", "question: is blank"),
        ("gsm8k", "question", "half \ud800", "question: holds half a character"),
        ("gsm8k", "answer", 72, "answer: is int, not text"),
        ("gsm8k", "answer", "72", "answer: has no final answer"),
        ("gsm8k", "answer", "so #### ", "answer: has no final answer"),
        ("valid", "prompt", ..., "prompt: is missing"),
        ("valid", "prompt", "What?", "prompt: is not a list of messages"),
        ("valid", "prompt", ["What?"], "prompt: is not a list of messages"),
        ("valid", "prompt", [], "prompt: has 0 messages of the role user"),
        ("valid", "prompt", [{"role": "user", "content": "a"}] * 2, "prompt: has 2 messages of the role user"),
        ("valid", "prompt", [{"role": "user"}], "prompt.content: is NoneType"),
        ("valid", "reward_model", ..., "reward_model.ground_truth: is missing"),
        ("valid", "reward_model", "2", "reward_model.ground_truth: is missing"),
        ("valid", "reward_model.ground_truth", None, "reward_model.ground_truth: is missing"),
        ("valid", "reward_model.ground_truth", "", "reward_model.ground_truth: is blank"),
        ("openr1", "target", ..., "target: is missing"),
        ("openr1", "target", [{"role": "user", "content": "a"}], "target: has 0 messages of the role assistant"),
        ("openr1", "target", [{"role": "assistant", "content": ""}], "target.content: is blank"),
        ("openr1", "extra_info.answer_list", "two", "extra_info.answer_list: is str"),
        ("openr1", "extra_info.answer_list", ["a", 2], "extra_info.answer_list.1: is int"),
        ("jsonl", "prompt", ..., "prompt: is missing"),
        ("jsonl", "prompt", ["a"], "prompt: is list"),
        ("jsonl", "answer", ..., "answer: is missing"),
        ("jsonl", "answer", True, "answer: is bool"),
        ("jsonl", "trace", "", "trace: is blank"),
        ("jsonl", "traces", "one", "traces: is str"),
        ("jsonl", "traces", [None], "traces.0: is NoneType"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_field(
    tmp_path: Path, file_format: str, field: str, value: Any, named: str
) -> None:
    good = ROWS[file_format]
    path = write(tmp_path, good, changed(good, field, value))
    with pytest.raises(DataError) as caught:
        load(path, file_format)
    assert caught.value.message.startswith(f"{path}, line 2, field {named}")
    assert caught.value.hint


def test_a_missing_field_is_told_what_there_is_instead(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="field prompt: is missing") as caught:
        load(write(tmp_path, GSM8K_ROW), "jsonl")
    assert caught.value.hint == "The row has question, answer."


def test_trace_and_traces_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="field trace: stands beside `traces`"):
        load(write(tmp_path, PLAIN_ROW | {"trace": "a", "traces": ["b"]}), "jsonl")


def test_a_bad_parquet_row_is_named_by_its_row(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN_ROW, PLAIN_ROW | {"prompt": ""}, name="some.parquet")
    with pytest.raises(DataError, match=r"some\.parquet, row 2, field prompt: is blank"):
        load(path, "jsonl")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b'{"prompt": "a", "answer": "b"}\n{"prompt": ', "line 2 is not JSON"),
        (b"[1, 2]\n", "line 1 is a JSON list"),
        (b'"text"', "line 1 is a JSON str"),
        (b'{"prompt": "\xff"}', "line 1 is not JSON"),
        (b"PAR1\x00\x01", "line 1 is not JSON"),
        (b"[" * 200_000, "line 1 is nested too deeply"),
        (b"", "holds no problems"),
        (b"\n \n", "holds no problems"),
    ],
)
def test_a_broken_or_empty_file_is_an_error(tmp_path: Path, content: bytes, named: str) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=named) as caught:
        load(path, "jsonl")
    assert str(path) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b"not parquet", b"PAR1 but no more PAR1"])
def test_a_broken_parquet_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"some\.parquet cannot be read behind row 0"):
        load(path, "valid")


def test_a_cut_off_parquet_file_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, *[{"prompt": str(i) * 50, "answer": "1"} for i in range(2000)], name="some.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000] + bytes(5000) + whole[6000:])
    with pytest.raises(DataError, match="cannot be read behind row"):
        load(path, "jsonl")


def test_an_empty_parquet_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    parquet.write_table(pa.table({"prompt": pa.array([], pa.string())}), path)
    with pytest.raises(DataError, match="holds no problems"):
        load(path, "jsonl")


def test_a_missing_file_lists_what_is_there_and_names_the_setting(tmp_path: Path) -> None:
    write(tmp_path, PLAIN_ROW, name="other.jsonl")
    (tmp_path / "gsm8k").mkdir()
    with pytest.raises(DataError, match=r"gone\.jsonl does not exist") as caught:
        resolve_path("gone.jsonl", tmp_path)
    assert "gsm8k/, other.jsonl" in caught.value.hint
    assert "TRAPO_DATA_DIR" in caught.value.hint
    with pytest.raises(DataError) as caught:
        resolve_path("deep/er/gone.jsonl", tmp_path)
    assert f"{tmp_path} holds" in caught.value.hint


def test_a_long_listing_is_cut(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / f"{i:02}").touch()
    with pytest.raises(DataError, match="10, 11 and 18 more"):
        resolve_path("gone", tmp_path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder, not a file"):
        resolve_path(".", tmp_path)


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN_ROW)
    assert resolve_path(str(path), Path("/somewhere/else")) == path
    assert resolve_path("some.jsonl", tmp_path) == path
    with pytest.raises(DataError, match="/no/such/place"):
        resolve_path("/no/such/place", tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that opens and cannot be read")
def test_a_file_that_fails_while_it_is_read_is_an_error() -> None:
    with pytest.raises(DataError, match="/proc/self/mem cannot be read: Input/output error"):
        load(Path("/proc/self/mem"), "jsonl")


# ---------------------------------------------------------------------------------------------------------- the Hub


def from_hub(cache: Path, program: str) -> str:
    """Output of a fresh interpreter that sees this cache and no network (the package reads both when imported)."""
    setting = {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1", "PATH": os.environ["PATH"]}
    start = (
        "import sys\nfrom pathlib import Path\nfrom trapo_core.data import load_problems\n"
        "from trapo_core.errors import DataError\nfrom trapo_core.sources import FileData\n"
        "source = FileData(format='gsm8k', path='main/test.jsonl', hub='openai/gsm8k')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", start + program], cwd=ROOT, env=setting, capture_output=True, text=True, check=True
    )
    return run.stdout


REPORT = "try:\n    load_problems(source, Path('.'))\nexcept DataError as error:\n    print(error)\n"


def test_a_hub_file_comes_from_the_cache_when_it_is_there(tmp_path: Path) -> None:
    repo = tmp_path / "hub" / "datasets--openai--gsm8k"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repo / "snapshots" / commit / "main").mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    write(repo / "snapshots" / commit / "main", GSM8K_ROW, name="test.jsonl")
    assert from_hub(tmp_path, "print(load_problems(source, Path('.'))[0].answer)\n") == "1000\n"


def test_a_hub_file_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    message = from_hub(tmp_path, REPORT)
    assert message.startswith("openai/gsm8k/main/test.jsonl at main cannot be had from the Hub: ")
    assert "HF_TOKEN" in message


def test_a_missing_hub_package_is_named(tmp_path: Path) -> None:
    message = from_hub(tmp_path, "sys.modules['huggingface_hub'] = None\n" + REPORT)
    assert "the package huggingface_hub is missing. pip install huggingface_hub" in message


def test_reading_data_loads_neither_torch_nor_the_hub_package() -> None:
    heavy = ("torch", "transformers", "huggingface_hub")
    program = f"import sys, trapo_core.data; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
