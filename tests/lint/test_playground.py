"""The playground's answers, its worker and its command: a bomb ends with a message."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastlstm_lint.cli import main
from fastlstm_lint.playground.answers import Answers
from fastlstm_lint.playground.desk import COMMAND, Desk
from fastlstm_lint.playground.links import fragment, fragment_of
from fastlstm_lint.playground.site import write

JSON = {"Content-Type": "application/json"}

MISTAKE = """import torch
from torch import nn
lstm = nn.LSTM(5, 6, batch_first=True)
x = torch.randn(3, 7, 5)
out, (h_n, c_n) = lstm(x)
last = out[-1]
"""


@pytest.fixture
def answers() -> Answers:
    return Answers()


# The interface


def test_findings_and_shapes_of_a_text(answers: Answers) -> None:
    seen = answers.answer({"ask": "look", "source": MISTAKE})
    [found] = seen["findings"]
    assert (found["code"], found["start"], found["made"]) == ("FL201", {"row": 6, "column": 8}, 3)
    assert found["fix"] == {"message": "Take the last time step: out[:, -1]", "safe": False}
    notes = {each["row"]: each["text"] for each in seen["notes"]}
    assert notes[5].startswith("out: (3 batch, 7 time, 6 feature); h_n: (1 layer, 3 batch, 6 feature)")
    assert seen["broken"] is None
    assert answers.answer({"ask": "look", "source": MISTAKE, "lang": "zh"})["findings"][0]["summary"].startswith(
        "batch"
    )


def test_a_text_that_cannot_be_parsed_keeps_what_was_known_on_its_page(answers: Answers) -> None:
    answers.answer({"ask": "look", "page": "a", "source": MISTAKE})
    broken = answers.answer({"ask": "look", "page": "a", "source": MISTAKE + "x = (\n"})
    assert (broken["broken"]["row"], broken["broken"]["column"]) == (7, 5)
    assert [each["code"] for each in broken["findings"]] == ["FL201"]
    assert len(broken["notes"]) == 3
    other = answers.answer({"ask": "look", "page": "b", "source": MISTAKE + "x = (\n"})
    assert other["broken"] is not None
    assert other["findings"] == other["notes"] == []


@pytest.mark.parametrize(
    ("row", "column", "told", "drawn"),
    [
        (5, 2, "(3 batch, 7 time, 6 feature)", "axis 1: time, size 7"),
        (5, 7, "(1 layer, 3 batch, 6 feature)", "axis 0: layer, size 1"),
        (3, 2, "nn.LSTM(5, 6, batch_first=True)", "output[:, -1]"),
        (6, 9, "(3 batch, 7 time, 6 feature)", "axis 0: batch, size 3"),
    ],
)
def test_what_is_pointed_at_is_told_and_drawn(answers: Answers, row: int, column: int, told: str, drawn: str) -> None:
    seen = answers.answer({"ask": "point", "source": MISTAKE, "row": row, "column": column})
    assert seen["told"] == told
    assert drawn in seen["picture"]
    assert seen["start"]["row"] == row


def test_there_is_nothing_at_a_comma_or_behind_the_end(answers: Answers) -> None:
    for row, column in ((1, 1), (99, 1), (3, 999), (0, 0), (-1, -1)):
        assert answers.answer({"ask": "point", "source": MISTAKE, "row": row, "column": column}) == {}


def test_fixes_are_applied_one_or_all(answers: Answers) -> None:
    both = MISTAKE + "gru = nn.GRU(5, 6, dropout=0.5)\nz, _ = gru(x)\n"
    one = {"ask": "fix", "source": both, "which": "one", "code": "FL201", "row": 6, "column": 8}
    assert answers.answer(one)["source"] == both.replace("out[-1]", "out[:, -1]")
    assert answers.answer(one | {"column": 9}) == {"source": both, "fixed": []}
    safe = answers.answer({"ask": "fix", "source": both, "which": "safe"})
    assert safe["fixed"] == ["FL310"]
    everything = answers.answer({"ask": "fix", "source": both, "which": "all"})
    assert set(everything["fixed"]) == {"FL201", "FL310"}
    assert "out[:, -1]" in everything["source"]


def test_a_rule_is_told_with_the_picture_of_the_layer(answers: Answers) -> None:
    told = answers.answer({"ask": "rule", "code": "FL205", "source": MISTAKE, "row": 3})
    assert told["summary"].startswith("h_n or c_n flattened")
    assert [list(each) for each in told["why"]] == [["text"], ["drawing"]]
    assert "LSTM(5, 6, batch_first=True)" in told["picture"]
    packed = answers.answer({"ask": "rule", "code": "FL403", "source": MISTAKE, "row": 3})["picture"]
    assert "padding where a sequence is shorter" in packed
    assert "padding" not in told["picture"]
    assert answers.answer({"ask": "rule", "code": "FL205"})["picture"] is None
    chinese = answers.answer({"ask": "rule", "code": "FL205", "lang": "zh"})
    assert "展平" in chinese["summary"]
    assert "torch" in chinese["torch"]


def test_a_question_is_answered_as_explain_does(answers: Answers) -> None:
    assert "h after the last step" in answers.answer({"ask": "tell", "text": "what is in h_n"})["text"]
    layer = answers.answer({"ask": "tell", "text": "nn.LSTM(5, 6, 2)"})
    assert "648 parameters" in layer["text"]
    assert layer["picture"].startswith("<svg")
    unknown = answers.answer({"ask": "tell", "text": "qqq"})
    assert "nothing is known" in unknown["text"]
    assert unknown["picture"] is None


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_programs_are_right_and_the_mistakes_are_found(answers: Answers, lang: str) -> None:
    starts = answers.answer({"ask": "start", "lang": lang})["starts"]
    assert [each["name"] for each in starts if each["kind"] == "program"] == [f"P{k}" for k in range(1, 8)]
    mistakes = [each for each in starts if each["kind"] == "mistake"]
    assert len(mistakes) == 10
    for start in starts:
        seen = answers.answer({"ask": "look", "source": start["source"]})
        codes = {each["code"] for each in seen["findings"]}
        assert codes == ({start["name"]} if start["kind"] == "mistake" else set()), start["name"]
        assert seen["notes"], start["name"]
        assert bool(re.search("[\u4e00-\u9fff]", start["title"])) == (lang == "zh"), start["title"]
        assert not re.search(r"# FL\d", start["source"])


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"ask": "open"},
        {"ask": "__init__"},
        {"ask": ["look"]},
        {"ask": "look", "source": 5},
        {"ask": "look", "source": "x" * 400_001},
        {"ask": "point", "source": "", "row": "1"},
        {"ask": "point", "source": "", "row": True},
        {"ask": "rule", "code": "FL999"},
    ],
    ids=lambda question: str(question)[:40],
)
def test_what_is_no_question_is_refused(answers: Answers, question: dict[str, Any]) -> None:
    assert list(answers.answer(question)) == ["refused"]


def test_the_programs_run_in_torch(answers: Answers) -> None:
    pytest.importorskip("torch")
    for start in answers.answer({"ask": "start"})["starts"]:
        if start["kind"] == "program":
            exec(compile(start["source"], start["name"], "exec"), {})


# The desk


def worker(tmp_path: Path, body: str) -> tuple[str, ...]:
    """The command of a worker that answers `{"said": question}`, after what `body` does with the question."""
    program = tmp_path / "worker.py"
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    program.write_text(
        "import json, os, sys, time\nfor line in sys.stdin:\n    question = json.loads(line)\n"
        f'{lines}\n    print(json.dumps({{"said": question}}), flush=True)\n'
    )
    return sys.executable, str(program)


def test_a_question_that_takes_too_long_is_stopped_and_the_next_one_answered(tmp_path: Path) -> None:
    desk = Desk(limit=1.0, command=worker(tmp_path, "while question['ask'] == 'bomb': pass"))
    assert desk.ask({"ask": "bomb"}) == {"stopped": "time", "limit": 1.0}
    # The second worker has to start within the limit, on however slow a machine.
    desk.limit = 600.0
    assert desk.ask({"ask": "look"}) == {"said": {"ask": "look"}}
    desk.close()
    assert desk.ask({"ask": "look"})["stopped"] == "ended"


@pytest.mark.parametrize("end", ["os._exit(1)", "os.kill(os.getpid(), 9)", "print('no answer', flush=True)"])
def test_a_worker_that_ends_is_replaced(tmp_path: Path, end: str) -> None:
    desk = Desk(limit=600.0, command=worker(tmp_path, f"if question['ask'] == 'end': {end}"))
    assert desk.ask({"ask": "end"})["stopped"] == "ended"
    assert desk.ask({"ask": "look"}) == {"said": {"ask": "look"}}
    desk.close()


def test_a_newer_question_of_a_page_takes_the_place_of_its_older_ones(tmp_path: Path) -> None:
    desk = Desk(limit=600.0, command=worker(tmp_path, "while question['n'] == 0: time.sleep(0.01)"))
    got: dict[int, Any] = {}
    begun = threading.Event()
    original = desk._put

    def put(question: Any, running: Any) -> Any:
        begun.set()
        return original(question, running)

    desk._put = put  # type: ignore[method-assign]

    def ask(n: int, page: str = "a") -> threading.Thread:
        def run() -> None:
            got[n] = desk.ask({"ask": "look", "page": page, "n": n})

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    first = ask(0)
    assert begun.wait(600)
    rest = [ask(1)]
    while desk._count < 2:
        pass
    rest += [ask(2), ask(3, "b")]
    for thread in (first, *rest):
        thread.join()
    assert got[0] == got[1] == {"superseded": True}
    assert got[2]["said"]["n"] == 2
    assert got[3]["said"]["n"] == 3, "another page's question stays"
    desk.close()


BOMB = "from torch import nn\nlstm = nn.LSTM(5, 6)\na0 = (lstm, lstm)\n" + "".join(
    f"a{k + 1} = (a{k}, a{k})\n" for k in range(60)
)


def test_the_real_worker_answers_and_survives_bombs() -> None:
    desk = Desk(limit=600.0, command=COMMAND)
    assert desk.ask({"ask": "look", "source": MISTAKE})["findings"]
    for bomb in (
        BOMB,
        "import torch\n" + "x = " + "(" * 3000 + ")" * 3000,
        "import torch\n" + "-" * 90_000 + "1",
        "\ud800",
    ):
        assert "notes" in desk.ask({"ask": "look", "source": bomb})
    assert desk.ask({"ask": "look", "source": MISTAKE})["findings"]
    desk.close()


def test_a_worker_ends_with_who_started_it(python: Any) -> None:
    code = (
        "from fastlstm_lint.playground.desk import Desk\n"
        "desk = Desk()\ndesk.start()\nfirst = desk.ask({'ask': 'start'})['starts'][0]\n"
        "print(first['name'], desk._process.pid, flush=True)\n"
        "import os; os._exit(0)"
    )
    done = python("-c", code)
    name, pid = done.stdout.split()
    assert name == "P1"
    # Its input has ended: it ends as soon as it is given the processor. One that stays fails by the suite's limit.
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        time.sleep(0.05)


# The command, its links, and the page without a server


def test_the_command_prints_an_address_serves_it_and_ends(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MISTAKE)
    # A shell that runs the tests in the background lets their children ignore the signal.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heard}; from fastlstm_lint.cli import main; main()"
    command = [sys.executable, "-c", code, "playground", "--no-browser", "model.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        url = started.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", url)
        asked = urllib.request.Request(f"{url}ask", json.dumps({"ask": "look", "source": MISTAKE}).encode(), JSON)
        with urllib.request.urlopen(asked) as response:
            assert json.load(response)["findings"][0]["code"] == "FL201"
        started.send_signal(signal.SIGINT)
        _, said = started.communicate()
        assert started.returncode == 0
        assert "Traceback" not in said


def test_a_link_is_read_as_the_page_writes_it() -> None:
    text = MISTAKE + "# 批大小 é \ud800\n"
    made = fragment(text)
    assert fragment_of(f"http://127.0.0.1:1/x/{made}\n") == made
    packed = base64.urlsafe_b64decode(made.removeprefix("#code=") + "==")
    assert zlib.decompress(packed, wbits=-15).decode() == text.encode("utf-8", "replace").decode()
    for other in ("", "#code=", "model.py", "#code=<b>", "http://x/#other=1"):
        assert fragment_of(other) is None


@pytest.mark.parametrize("start", ["nowhere.py", ".", "#code=", "bad.py"])
def test_what_cannot_be_opened_is_told(start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_bytes(b"\xff")
    result = CliRunner().invoke(main, ["playground", "--no-browser", start])
    assert result.exit_code == 2
    assert start in result.output


def test_a_site_has_the_page_and_answers_without_a_server(tmp_path: Path) -> None:
    wheel = tmp_path / "made-1-py3-none-any.whl"
    wheel.write_bytes(b"PK")
    write(tmp_path / "site", [wheel])
    names = {path.name for path in (tmp_path / "site").iterdir()}
    assert {"index.html", "page.js", "ask.js", "wheels.json", wheel.name} <= names
    assert "pyodide.js" not in names
    assert "loadPyodide" in (tmp_path / "site" / "ask.js").read_text()
    assert json.loads((tmp_path / "site" / "wheels.json").read_text()) == [wheel.name]
    page = files("fastlstm_lint.playground") / "page"
    own, alone = (page.joinpath(name).read_text() for name in ("ask.js", "pyodide.js"))
    exported = re.compile(r"^export .*?(\w+)\(", re.MULTILINE)
    assert exported.findall(own) == exported.findall(alone) == ["ask"]
