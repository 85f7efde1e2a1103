"""The pictures in docs/ show the code as it is, and are drawn from the texts as they are."""

import ast
import re
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from flyve_mdm import ROOT, demo
from flyve_mdm.measure import house, led, picture, pilots, screens

DOCS = ROOT / "docs"
FLYVE = ROOT / "firmware" / "flyve"
MODULES = {path.stem: path for path in FLYVE.rglob("[!_]*.py")}
SVG = "{http://www.w3.org/2000/svg}"
_EMS = ((" .,:;/-'ijlIJ", 0.35), ("frt", 0.4), ("csz_", 0.54), ("mwMW", 0.98), ("", 0.64))


def _source(name):
    return (DOCS / "pictures" / f"{name}.d2").read_text()


def _texts(path):
    return sorted("".join(t.itertext()) for t in ElementTree.parse(path).iter(f"{SVG}text"))


def _imported(path):
    """The modules of the firmware that this one imports, at once or when a job needs them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [node.module, *(alias.name for alias in node.names)]
            yield from (name.rpartition(".")[2] for name in names if name)


def _states():
    """The states that the firmware writes to its record or reads from it."""
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "state":
                yield from _strings(node.value)
            elif isinstance(node, ast.Compare) and "'state'" in ast.dump(node.left):
                yield from (text for other in node.comparators for text in _strings(other))
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_end":
                yield from (text for arg in node.args for text in _strings(arg))


def _strings(node):
    found = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
    return [value for value in found if isinstance(value, str)]


def test_each_module_has_a_floor_in_the_house():
    placed = [module for floor in house.floors() for module in floor.modules]
    assert sorted(placed) == sorted(
        "flyve." + ".".join(path.relative_to(FLYVE).with_suffix("").parts)
        for path in MODULES.values()
    )


def test_the_picture_shows_the_house_as_it_is():
    assert (DOCS / "pictures" / "house.d2").read_text() == house.text(), "make pictures"


def test_the_picture_of_the_led_shows_what_the_firmware_does():
    assert (DOCS / "led.svg").read_text() == led.text(), "make pictures"
    lit = list(ElementTree.parse(DOCS / "led.svg").iter(f"{SVG}rect"))[1:]
    assert len(lit) == sum(3 * often or bool(share) for _, often, share in led.patterns())


def test_what_stays_imports_a_job_only_inside_a_function():
    early = [
        f"{path.name}:{node.lineno}"
        for path in MODULES.values()
        if path.parent.name == "flyve"
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ImportFrom) and "jobs" in f"{node.module} {ast.unparse(node)}"
    ]
    assert not early


def test_no_imports_make_a_circle():
    imports = {name: set(_imported(path)) & MODULES.keys() for name, path in MODULES.items()}
    while leaves := [name for name, others in imports.items() if not others]:
        for leaf in leaves:
            del imports[leaf]
        imports = {name: others.difference(leaves) for name, others in imports.items()}
    assert not imports


def _assigned(tree):
    """The attributes that are assigned, as (object, attribute, line)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield ast.unparse(node.value), node.attr, node.lineno


def _own(tree):
    """The attributes of the classes in a module."""
    for cls in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        yield from (attribute for it, attribute, _ in _assigned(cls) if it == "self")
        for node in cls.body:
            if isinstance(node, ast.Assign):
                yield from (target.id for target in node.targets)


def _made(tree, name, line):
    """Whether the function at that line makes the object of that name itself, of a class of
    MicroPython's."""
    micropython = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return any(
        ast.unparse(node.targets[0]) == name
        and ast.unparse(node.value).split(".")[0] in micropython
        for function in functions
        if function.lineno <= line <= function.end_lineno
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
    )


@pytest.mark.parametrize("name", sorted(MODULES))
def test_an_attribute_is_assigned_only_in_the_module_of_its_class(name):
    tree = ast.parse(MODULES[name].read_text())
    own = set(_own(tree))
    foreign = [
        f"{it}.{attribute} in line {line}"
        for it, attribute, line in _assigned(tree)
        if it != "self" and attribute not in own and not _made(tree, it, line)
    ]
    assert not foreign


def test_the_states_in_the_picture_are_those_of_the_record():
    drawn = set(
        re.findall(r"^(\w+)(?:\.class|: \{\n  class): (?:state|help)", _source("states"), re.M)
    )
    assert drawn == {"blank", *_states()}


def test_the_states_in_the_picture_are_those_that_the_operator_reads_of():
    table = (DOCS / "operation.md").read_text().split("## States")[1].split("## ")[0]
    listed = set(re.findall(r"^\| (\w+) \|", table, re.M)) - {"state"}
    assert listed == {"blank", *_states()}


@pytest.mark.parametrize("name", ["architecture", "states"])
def test_a_picture_is_drawn_from_its_text_as_it_is_now(name, tmp_path):
    now = tmp_path / "now.svg"
    picture.draw(DOCS / "pictures" / f"{name}.d2", now)
    assert _texts(DOCS / f"{name}.svg") == _texts(now), "make pictures"


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.svg")), ids=lambda path: path.stem)
def test_a_picture_needs_no_font_of_its_own(path):
    assert "@font-face" not in path.read_text()


def _width(text):
    """The width of a text in ems in DejaVu Sans, the widest of the usual fonts."""
    return sum(next(em for chars, em in _EMS if c in chars or not chars) for c in text)


def _room(group, inside):
    """Each text of a group with its width, and that of the box or of the gap that it stands in."""
    box = group.find(f"{SVG}g/{SVG}rect")
    for text in group.iter(f"{SVG}text"):
        x, y = (float(text.get(key)) for key in "xy")
        size = float(re.search(r"font-size:([\d.]+)px", text.get("style"))[1])
        lines = [line.text for line in text.iter(f"{SVG}tspan")] or [text.text]
        gaps = [
            gap for gap in inside if gap[0] < x < gap[0] + gap[2] and gap[1] < y < gap[1] + gap[3]
        ]
        room = float(box.get("width")) if box is not None else gaps[0][2]
        for line in lines:
            yield line, _width(line) * size, room


@pytest.mark.parametrize("name", ["architecture", "states"])
def test_each_text_has_room_in_its_box_whatever_the_font(name):
    tree = ElementTree.parse(DOCS / f"{name}.svg")
    gaps = [
        [float(rect.get(key)) for key in ("x", "y", "width", "height")]
        for rect in tree.iterfind(f".//{SVG}mask/{SVG}rect")
    ][1:]  # the first is the whole picture
    groups = [group for group in tree.iter(f"{SVG}g") if group.find(f"{SVG}text") is not None]
    placed = [found for group in groups for found in _room(group, gaps)]
    assert len({line for line, _, _ in placed}) > 15
    assert not [found for found in placed if found[1] > found[2]]


def test_no_line_of_the_demo_is_cut():
    tree = ElementTree.parse(DOCS / "demo.svg")
    clip = tree.find(f".//{SVG}clipPath[@id='demo-clip-terminal']/{SVG}rect")
    lines = [text for text in tree.iter(f"{SVG}text") if (text.text or "").strip()]
    ends = [float(t.get("x")) + float(t.get("textLength")) for t in lines if t.get("textLength")]
    assert max(ends) <= float(clip.get("width")) + 1
    hashes = re.findall(r"sha256=(\w+)", " ".join(_texts(DOCS / "demo.svg")))
    assert [len(found) for found in hashes] == [64, 64]


def test_the_demo_draws_the_timeline_that_it_prints(tmp_path):
    picture = tmp_path / "demo.svg"
    result = CliRunner().invoke(demo.demo, ["--svg", str(picture)])
    assert result.exit_code == 0, result.output
    drawn = " ".join(_texts(picture)).replace("\xa0", " ")
    for line in (
        "backend opens a session for ada@example.org",
        "every step was seen by the backend",
    ):
        assert line in " ".join(result.stdout.split())
        assert line.split(" ", 1)[1] in drawn
    assert "@font-face" not in picture.read_text()  # it would come from elsewhere


@pytest.mark.browser
@pytest.mark.parametrize("name", [*screens.PICTURES, "pilots.webp"])
def test_a_picture_of_a_page_is_drawn_and_is_small(tmp_path, name):
    if name in screens.PICTURES:
        screens.draw(name, tmp_path / name)
    else:
        pilots.draw(tmp_path / name)
    for path in (tmp_path / name, DOCS / name):
        data = path.read_bytes()
        assert data[:4] + data[8:12] == b"RIFFWEBP" and 20_000 < len(data) < 120_000


@pytest.mark.parametrize("module", [screens, pilots])
def test_without_a_browser_the_picture_is_left_as_it_is(tmp_path, monkeypatch, capsys, module):
    picture = tmp_path / "setup.webp"
    picture.write_bytes(b"before")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["screens", str(picture)])
    module.main()
    assert picture.read_bytes() == b"before"
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"{picture} is left as it is: no Chromium with its driver here: "
        "apt-get install chromium chromium-driver"
    )
