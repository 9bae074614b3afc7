#!/usr/bin/env python3
"""Checks the page that shows a benchmark result, in a headless Chromium that reads only local files.

    page_test.py PAGE    exits with 77, which ctest shows as skipped, where there is no Chromium
"""

import html.parser
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

PLACE = "/*RESULT*/null"
BROWSER = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions", "--enable-logging=stderr",
         "--window-size=1280,900", "--virtual-time-budget=3000", "--dump-dom"]
SECONDS = 60
MARKUP = "</script><script>document.title = 'broken out'</script><img src=x onerror=console.error(1)><!--"
RIVALS = ["bare", "asio-callbacks", "libuv", "node", "tokio", "libnet-events", "libnet-await", "libnet-events-portable"]
MISSING = {"name": "go", "version": None, "missing": f"not built: needs the package golang-go {MARKUP}"}
SCENARIOS = [("echo-64x64", "message", "cpu"), ("stream", "GiB", "cpu"), ("accept", "connection", "rate"), ("idle", "connection", "bytes"),
             ("echo-instructions", "message", "instructions")]
HOVER = """<script>setTimeout(() => {
  const picture = document.querySelector(".plot svg"), box = picture.getBoundingClientRect();
  picture.dispatchEvent(new PointerEvent("pointermove", {bubbles: true, clientX: box.left + box.width / 2, clientY: box.top + 100}));
}, 1000)</script>"""
page = None


def spread(median):
    return {"median": median, "low": 0.9 * median, "high": 1.2 * median, "rounds": [0.9 * median, median, 1.2 * median]}


def row(rival, place, leading):
    factor = 1 + place / 10
    latency = {"p50": 400 * factor, "p99": 600 * factor, "p999": 900 * factor,
               "curve": [[0.0, 10.0], [0.5, 400 * factor], [0.99, 600 * factor], [0.999, 900 * factor], [1.0, 5000.0]]}
    by_time = leading in ("cpu", "rate")
    return {"rival": rival, "failure": None, "ratio": spread(factor) if leading != "bytes" else None,
            "cpu_ns": spread(5200 * factor) if by_time else None, "rate": spread(150000 / factor) if by_time else None,
            "latency_us": latency if leading == "cpu" else None, "bytes": spread(640 * factor) if leading == "bytes" else None,
            "instructions": spread(1220 * factor) if leading == "instructions" else None,
            "allocations": None if rival == "node" else 0.0, "calls": 2.02}


def failed(rival, text):
    nothing = dict.fromkeys(["ratio", "cpu_ns", "rate", "latency_us", "bytes", "instructions", "allocations", "calls"])
    return {"rival": rival, "failure": text, **nothing}


def sample():
    scenarios = [{"name": name, "title": f"The title of {name}", "unit": unit, "leading": leading, "baseline": "bare",
                  "rows": [row(rival, place, leading) for place, rival in enumerate(RIVALS)]} for name, unit, leading in SCENARIOS]
    scenarios[1]["rows"][2] = failed("libuv", f"round 3 {MARKUP}")
    scenarios.append({"name": "relay", "title": "Only failures", "unit": "GiB", "leading": "cpu", "baseline": "bare",
                      "rows": [failed("bare", "the server ended with status 134")]})
    goal = {"what": "CPU / bare", "scenario": "echo-64x64", "rival": "libnet-events"}
    return {"format": 1, "taken": "2026-11-20T19:00:00Z",
            "machine": {"cpu": "A CPU", "cores": 2, "memory_bytes": 25000000000, "kernel": "Linux 6.18.44"},
            "build": {"libnet": "0.1.0", "compiler": "g++ 12.2.0", "type": "Release", "flags": "-O2", "boost": "1.81"},
            "settings": {"rounds": 7, "window_ms": 1000, "warm_up_ms": 200, "server_core": 0, "load_core": 1, "quick": True},
            "rivals": [{"name": name, "version": f"made with {name}", "missing": None} for name in RIVALS] + [MISSING],
            "scenarios": scenarios,
            "goals": [goal | {"figure": 1.02, "goal": 1.03, "met": True}, goal | {"figure": 0.8, "goal": 0.9, "met": False},
                      goal | {"figure": None, "goal": 1.1, "met": None}]}


class Dom(html.parser.HTMLParser):
    """What a browser made of the page: its elements, and its text by the section that holds it ("" before the first)."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.section, self.hidden = [], {}, "", False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        self.hidden = tag in ("script", "style")
        if tag == "section":
            self.section = attributes["id"]

    def handle_endtag(self, tag):
        self.hidden = False

    def handle_data(self, data):
        if not self.hidden:
            self.texts[self.section] = self.texts.get(self.section, "") + data

    def of_class(self, name):
        return [attributes for _, attributes in self.elements if name in attributes.get("class", "").split()]


def run_browser(folder, address):
    command = [BROWSER, *FLAGS, f"--user-data-dir={folder}/profile", address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        return process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def show(result=None, more=""):
    """The page with this result, and what it said on the browser's console."""
    text = page.read_text(encoding="utf-8")
    if result is not None:
        text = text.replace(PLACE, json.dumps(result).replace("<", "\\u003c"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = pathlib.Path(folder, "page.html")
        file.write_text(text.replace("</body>", f"{more}</body>"), encoding="utf-8")
        dom, log = run_browser(folder, file.as_uri())
    return Dom(dom), [line for line in log.splitlines() if "CONSOLE" in line]


class Page(unittest.TestCase):
    def test_it_has_one_place_for_a_result(self):
        self.assertEqual(page.read_text(encoding="utf-8").count(PLACE), 1)

    def test_without_a_result_it_says_so(self):
        dom, console = show()
        self.assertIn("holds no result", dom.texts[""])
        self.assertEqual(console, [])

    def test_another_format_is_named(self):
        self.assertIn("of format 2", show({"format": 2})[0].texts[""])

    def test_a_script_error_is_seen_by_this_test_and_by_the_reader(self):
        dom, console = show({"format": 1})
        self.assertIn("cannot be shown", dom.texts[""])
        self.assertTrue(console)


class FilledPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dom, cls.console = show(sample(), HOVER)

    def test_no_script_error_occurs(self):
        self.assertEqual(self.console, [])

    def test_every_scenario_shows_every_rival(self):
        for name, _, _ in SCENARIOS:
            self.assertIn(f"The title of {name}", self.dom.texts[name])
            for rival in RIVALS:
                self.assertIn(rival, self.dom.texts[name])

    def test_the_head_says_that_a_quick_run_is_rough(self):
        self.assertIn("figures are rough", self.dom.texts[""])

    def test_goals_are_judged_in_words(self):
        for words in ["at most 1.03", "✓ met", "at least 0.9", "✗ missed", "not measured", "1 of 3 met"]:
            self.assertIn(words, self.dom.texts[""])

    def test_failures_and_reasons_are_shown_as_text_and_never_as_markup(self):
        self.assertIn(f"failed: round 3 {MARKUP}", self.dom.texts["stream"])
        self.assertIn(MISSING["missing"], self.dom.texts[""])
        self.assertIn(MISSING["missing"], self.dom.texts["echo-64x64"])
        self.assertIn("failed: the server ended with status 134", self.dom.texts["relay"])
        self.assertEqual([tag for tag, _ in self.dom.elements if tag == "img"], [])

    def test_the_axis_says_which_side_is_better(self):
        self.assertIn("CPU time per message, ratio to bare: ← lower is better", self.dom.texts["echo-64x64"])
        self.assertIn("higher → is better", self.dom.texts["accept"])
        self.assertIn("Private bytes per connection: ← lower is better", self.dom.texts["idle"])

    def test_instructions_are_compared_and_listed(self):
        self.assertIn("User-space instructions per message, ratio to bare: ← lower is better", self.dom.texts["echo-instructions"])
        self.assertIn("instructions / message", self.dom.texts["echo-instructions"])

    def test_every_latency_curve_is_drawn(self):
        drawn = [attributes["data-name"] for attributes in self.dom.of_class("series")]
        self.assertEqual(sorted(drawn), sorted(RIVALS + [rival for rival in RIVALS if rival != "libuv"]))

    def test_a_pointer_over_a_curve_shows_its_value(self):
        shown = [attributes for attributes in self.dom.of_class("tip") if "hidden" not in attributes]
        self.assertEqual(len(shown), 1)
        self.assertRegex(self.dom.texts["echo-64x64"], r"99 % within \S+ µs")


if __name__ == "__main__":
    page = pathlib.Path(sys.argv.pop(1))
    if BROWSER is None:
        print("SKIPPED: the page of the benchmark is not checked, because there is no Chromium (package chromium)")
        sys.exit(77)
    unittest.main()
