"""The playground's page in Chromium, with its own editor and, where it was built, with CodeMirror.

Runs where playwright and a browser are: `pip install playwright`, and a chromium on the path or FASTLSTM_BROWSER.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastlstm_lint.playground.desk import Desk
from fastlstm_lint.playground.server import Server, page_files

playwright = pytest.importorskip("playwright.sync_api")

BROWSER = os.environ.get("FASTLSTM_BROWSER") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
if BROWSER is None:
    pytest.skip("no browser", allow_module_level=True)

LONGEST = 600_000
"""Milliseconds that a step may take: on a busy machine nothing is wrong yet."""

TYPED = (
    "import torch\nfrom torch import nn\nlstm = nn.LSTM(5, 6, batch_first=True)\nout, _ = lstm(torch.zeros(3, 7, 5))\n"
)

EDITORS = {"own": page_files(built=False), "built": page_files()}
if EDITORS["own"] == EDITORS["built"]:
    del EDITORS["built"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as run:
        started = run.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"], timeout=LONGEST)
        yield started
        started.close()


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    made = Desk(limit=600.0)
    yield made
    made.close()


@pytest.fixture(params=EDITORS)
def server(request: pytest.FixtureRequest, desk: Desk) -> Iterator[Server]:
    made = Server(desk.ask)
    made.files = EDITORS[request.param]
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    """The page as it is opened; what it complains of fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 800}, locale="en-US")
    made = context.new_page()
    made.set_default_timeout(LONGEST)
    complaints: list[str] = []
    made.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on(
        "request", lambda asked: None if asked.url.startswith((server.url, "data:")) else complaints.append(asked.url)
    )
    made.goto(server.url)
    made.wait_for_selector("#findings li[data-code=FL201]")
    yield made
    context.close()
    assert complaints == []


def editor(page: Any) -> Any:
    """What is typed into, whichever editor it is."""
    return page.locator("#editor textarea, #editor .cm-content").first


def write(page: Any, text: str) -> None:
    """Everything in the editor replaced by what is typed."""
    editor(page).focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    for line in text.splitlines():  # without the indentation that an editor adds
        page.keyboard.insert_text(line)
        page.keyboard.press("Enter")


def notes(page: Any) -> list[str]:
    return [each.strip() for each in page.locator("#editor .note").all_text_contents()]


def test_type_wait_read_fix_and_see_what_changed(page: Any) -> None:
    write(page, TYPED)
    playwright.expect(page.locator("#state")).to_have_text("No findings.", timeout=LONGEST)
    playwright.expect(page.locator("#editor .note")).to_contain_text(
        ["out: (3 batch, 7 time, 6 feature)"], timeout=LONGEST
    )
    page.keyboard.insert_text("last = out[-1]")
    found = page.locator("#findings li")
    playwright.expect(found).to_contain_text("out[-1] is the last sample of the batch", timeout=LONGEST)
    assert page.locator("#editor .found").first.text_content() == "out[-1]"
    found.locator("summary").click()
    playwright.expect(found.locator("details")).to_contain_text("Wrong", timeout=LONGEST)
    assert found.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    found.locator("button.apply").click()
    playwright.expect(page.locator("#state")).to_have_text("No findings.", timeout=LONGEST)
    changes = page.locator("#changes")
    playwright.expect(changes).to_contain_text("- last = out[-1]\n+ last = out[:, -1]", timeout=LONGEST)
    playwright.expect(changes).to_contain_text("last: (7 time, 6 feature) last: (3 batch, 6 feature)", timeout=LONGEST)
    page.locator("#undo").click()
    playwright.expect(found).to_contain_text("FL201", timeout=LONGEST)


def test_a_tensor_that_is_pointed_at_is_drawn(page: Any) -> None:
    write(page, TYPED)
    playwright.expect(page.locator("#editor .note")).to_contain_text(["out: "], timeout=LONGEST)
    row = page.locator("#editor .row .code, #editor .cm-line").nth(3).bounding_box()
    page.mouse.move(row["x"] + 12, row["y"] + row["height"] / 2)
    page.mouse.move(row["x"] + 14, row["y"] + row["height"] / 2)
    tip = page.locator("#tip")
    playwright.expect(tip).to_contain_text("(3 batch, 7 time, 6 feature)", timeout=LONGEST)
    assert tip.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    page.keyboard.press("Escape")
    playwright.expect(tip).to_be_hidden(timeout=LONGEST)


def test_the_cursor_shows_its_value_without_a_mouse(page: Any) -> None:
    write(page, TYPED)
    playwright.expect(page.locator("#editor .note")).to_contain_text(["out: "], timeout=LONGEST)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    playwright.expect(page.locator("#cursor")).to_contain_text("(3 batch, 7 time, 6 feature)", timeout=LONGEST)


def test_a_program_travels_in_a_link_and_no_server_sees_it(page: Any, server: Server) -> None:
    text = TYPED + "# 批大小 é 🙂 <b>\n"
    write(page, text)
    page.locator("#share").click()
    playwright.expect(page.locator("#shared")).to_contain_text("ink", timeout=LONGEST)
    fragment = page.evaluate("location.hash")
    assert fragment.startswith("#code=")
    other = page.context.new_page()
    other.set_default_timeout(LONGEST)
    seen: list[str] = []
    other.on("request", lambda asked: seen.append(asked.url))
    other.goto(server.url + fragment)
    playwright.expect(other.locator("#editor .note")).to_contain_text(["out: "], timeout=LONGEST)
    shown = other.locator("#editor textarea, #editor .cm-content").first
    assert "# 批大小 é 🙂 <b>" in shown.evaluate("at => at.value ?? at.innerText")
    assert not any("code=" in url for url in seen[1:])
    # A link of another machine, pasted where questions are asked.
    page.locator("#start").select_option("P1")
    page.locator("#question").fill(f"http://127.0.0.1:1/{fragment}")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#editor .note")).to_contain_text(["out: "], timeout=LONGEST)
    page.locator("#question").fill("http://127.0.0.1:1/#code=nonsense")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#told")).to_contain_text("nothing is known", timeout=LONGEST)


def test_what_is_hostile_stays_text(page: Any) -> None:
    evil = '"</script><img src=x onerror=alert(1)>"'
    write(page, TYPED + f"x = {evil}\nlast = out[-1]  # {evil}\n")
    playwright.expect(page.locator("#findings")).to_contain_text("FL201", timeout=LONGEST)
    page.locator("#question").fill(evil)
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#told pre")).to_contain_text("onerror", timeout=LONGEST)
    page.locator("#findings .apply").click()
    playwright.expect(page.locator("#changes")).to_contain_text("onerror", timeout=LONGEST)
    assert page.locator("img[src=x], script:not([src])").count() == 0


def test_it_speaks_chinese(page: Any) -> None:
    page.locator("#lang").select_option("zh")
    playwright.expect(page.locator("#state")).to_have_text("发现 1 个问题", timeout=LONGEST)
    playwright.expect(page.locator("#findings li")).to_contain_text("最后一个样本，不是最后一个时间步", timeout=LONGEST)
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.locator("#question").fill("h_n 里有什么")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#told pre")).to_contain_text("最后一个时间步", timeout=LONGEST)
    page.reload()
    playwright.expect(page.locator("#state")).to_have_text("发现 1 个问题", timeout=LONGEST)


def test_a_narrow_page_is_not_wider_than_its_window(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.locator("#findings summary").first.click()
    playwright.expect(page.locator("#findings details")).to_contain_text("Wrong", timeout=LONGEST)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_question_that_was_stopped_is_told(page: Any, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "limit", 0.0)
    write(page, TYPED)
    state = page.locator("#state")
    playwright.expect(state).to_contain_text("Stopped: this program took longer than 0 seconds", timeout=LONGEST)
    monkeypatch.undo()
    page.keyboard.insert_text("last = out[-1]")
    playwright.expect(state).to_have_text("1 finding", timeout=LONGEST)
