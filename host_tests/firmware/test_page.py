"""The set-up page, put together in MicroPython: what is shown when, and that no text from outside
becomes markup."""

import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from flyve_mdm.build import archive, firmware, template, toolchain
from flyve_mdm.measure.setup_states import BASE, NETWORKS, STATES, WORST

EVIL = "</title></style></script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"
BLOCKS = {"p", "fieldset", "form", "main", "div", "label", "title", "ul", "li", "details"}


@pytest.fixture
def render(upy):
    """The page's text for these values and networks."""

    def rendered(values, networks=()):
        pieces = upy.call("page_calls", "pieces", values, [list(n) for n in networks])
        assert 0 < max(map(len, pieces)) <= 256
        return b"".join(pieces).decode()

    return rendered


class Tags(HTMLParser):
    """The tags of a page with their attributes, and whether blocks are closed as opened."""

    def __init__(self, page):
        super().__init__()
        self.found, self.texts, self._open = [], [], []
        self.feed(page)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag in BLOCKS:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag in BLOCKS:
            assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_a_whole_page_without_leftovers(render, state):
    page = render(*STATES[state])
    Tags(page)
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")
    assert "<!--" not in page and not re.search(r"\$[a-z_]+\$", page)
    assert len(page.encode()) <= 8192


def test_the_largest_page_is_within_its_bound(render):
    assert len(render(*WORST).encode()) <= 8192


def test_no_text_from_outside_becomes_markup(render):
    for state, (values, networks) in STATES.items():
        plain = Tags(render(values, networks))
        evil = {name: EVIL if isinstance(v, str) else v for name, v in values.items()}
        found = Tags(render(evil, [(EVIL, *rest) for _, *rest in networks]))
        assert [tag for tag, _ in found.found] == [tag for tag, _ in plain.found], state
        assert [set(attrs) for _, attrs in found.found] == [set(a) for _, a in plain.found], state


def test_a_value_in_an_attribute_is_the_text_that_it_was(render):
    text = "a\"b'c<d>e&f;&lt; " + "é😀" * 80
    page = render({**BASE, "other": text, "email": text}, [(text, 2, True)])
    values = [a["value"] for _, a in Tags(page).found if a.get("value", "")[:1] == "a"]
    assert values == [text] * 3


def test_a_value_that_is_not_given_is_empty(render):
    page = render({}, [])
    assert "None" not in page and "No network was found" in page


def test_networks_show_their_bars_their_lock_and_the_one_that_was_chosen(render):
    page = render({**BASE, "chosen": "B"}, [("A", 4, True), ("B", 0, False)])
    first, second, other = (
        attrs for tag, attrs in Tags(page).found if attrs.get("type") == "radio"
    )
    assert (first["value"], second["value"], other["value"]) == ("A", "B", "")
    assert "checked" in second and "checked" not in first and "checked" not in other
    icons = [attrs for tag, attrs in Tags(page).found if tag == "i"]
    assert icons[0]["aria-label"] == "locked, signal 4 of 4" and icons[0]["class"] == "lock"
    assert icons[1]["aria-label"] == "signal 0 of 4" and "class" not in icons[1]


def test_another_network_is_chosen_when_its_name_was_typed_or_there_is_none(render):
    for values, networks in (({"other": "Café"}, NETWORKS), ({}, [])):
        radios = [a for _, a in Tags(render(values, networks)).found if a.get("type") == "radio"]
        assert [r["value"] for r in radios if "checked" in r] == [""]


@pytest.mark.parametrize("field", ["psk", "link", "email"])
def test_an_error_stands_beside_its_field_and_is_told_with_it(render, field):
    page = render({**BASE, f"{field}_error": "do <this>"})
    tags = Tags(page).found
    (box,) = (attrs for _, attrs in tags if attrs.get("id") == field)
    assert box["aria-invalid"] == "true"
    assert f"{field}-error" in box["aria-describedby"].split()
    assert re.search(f"id={field}-error>do &lt;this&gt;<", page)
    assert {"href": f"#{field}"} in [attrs for tag, attrs in tags if tag == "a"]


def test_while_it_joins_there_is_no_form_and_the_page_comes_anew(render):
    page = render(*STATES["joining"])
    assert "<form" not in page and 'http-equiv=refresh content="2"' in page
    assert "refresh content" not in render(*STATES["new"])


def test_the_policy_lets_the_page_s_own_script_run_and_no_other(render, upy):
    policy = upy.call("page_calls", "policy")
    scripts = re.findall("<script>(.*?)</script>", render(*STATES["joining"]), re.S)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert re.findall(r"sha256-([^']+)", policy.decode()) == hashes
    assert "<script" not in render(*STATES["new"])


def test_the_values_are_those_that_the_set_up_phase_gives():
    source = (firmware.ROOT / f"firmware/{firmware.PAGE}.html").read_text()
    asked = set(re.findall(r"\$([a-z_]+)\$", source))
    for names in re.findall(r"<!--(?:if|each) !?([a-z_ ]+)-->", source):
        asked |= set(names.split())
    assert asked == {
        "network", "serial", "new", "away", "refused", "unreachable", "joining", "joined",
        "failed", "why", "todo", "helpdesk", "contact", "backend", "invited", "ssid", "other",
        "email", "form", "ssid_error", "psk_error", "link_error", "email_error", "refresh",
        "networks", "bars", "locked", "chosen",
    }  # fmt: skip


SCRIPT = """
from flyve.jobs import page
values, networks = {!r}
try:
    for piece in page.render(values, networks):
        print("piece", bytes(piece))
except page.PageError as e:
    print("PageError", e)
"""
RENEW = "PageError the set-up page is missing or damaged: `flyve deploy` renews it"


def _pieces(lines):
    return b"".join(eval(line[6:]) for line in lines if line.startswith("piece ")).decode()


def test_a_board_has_it_in_its_archive(bench, render):
    lines = bench.lines(bench.board(SCRIPT.format(STATES["failed"])))
    assert _pieces(lines) == render(*STATES["failed"])


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "no deflate", "odd record"])
def test_what_is_damaged_or_not_there_is_told_by_name(bench, damage):
    made = bench.board(SCRIPT.format(STATES["new"]))
    modules = archive.unpack(made.read("/flyve/agent.mpy"))
    page = modules.pop("jobs/setup_html")
    data = {
        "empty": b"", "cut": page[: len(page) // 2], "no deflate": b"<p>" * 100,
        "odd record": template.zlib.compress(b"x\0\0\0", wbits=10),
    }  # fmt: skip
    if damage in data:
        modules["jobs/setup_html"] = data[damage]
    made.change({"/flyve/agent.mpy": archive.pack(modules)})
    assert bench.lines(made)[-1] == RENEW


@pytest.mark.exact  # with probes it needs a board
def test_a_frozen_agent_has_it_as_a_module(tmp_path, render):
    firmware.build()
    tree = tmp_path / "tree"
    shutil.copytree(firmware.modules(firmware.TREE), tree)
    (tree / f"{firmware.PAGE}_html.dat").unlink()
    shutil.copytree(firmware.FROZEN, tree, dirs_exist_ok=True)
    script = firmware.follow(SCRIPT.format(STATES["new"]))
    script = f"import sys; sys.path[:] = [{str(tree)!r}, '.frozen']\n{script}"
    argv = [toolchain.micropython(), "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert _pieces(done.stdout.splitlines()) == render(*STATES["new"])
