"""setup.html as records: what is refused, and what a board gets of it."""

import zlib

import pytest

from flyve_mdm import ROOT
from flyve_mdm.build import firmware, template

PAGE = (ROOT / "firmware" / "flyve" / "jobs" / "setup.html").read_text()


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("a<!--end-->", "<!--end--> of nothing"),
        ("<!--if a-->b", "<!--if a--> has no <!--end-->"),
        ("<!--each a--><!--if b--><!--end-->", "<!--each a--> has no <!--end-->"),
        ("<!--if A--><!--end-->", "not understood: <!--if A-->"),
        (f"<!--each a-->{'b' * 1100}<!--end-->", "<!--each a-->: 1124 bytes, more than 1024"),
    ],
)
def test_a_page_that_is_not_built_right_is_refused(page, why):
    with pytest.raises(template.TemplateError, match=f"^{why}"):
        template.data(page)


def test_a_page_that_is_refused_ends_the_build_with_its_name(monkeypatch, tmp_path):
    (tmp_path / "firmware/flyve/jobs").mkdir(parents=True)
    (tmp_path / "firmware/flyve/jobs/setup.html").write_text("<!--if a-->")
    for name, path in (("ROOT", "."), ("BUILD", "build"), ("TREE", "build/firmware")):
        monkeypatch.setattr(firmware, name, tmp_path / path)
    with pytest.raises(
        firmware.BuildError, match=r"^firmware/flyve/jobs/setup.html: <!--if a--> has no"
    ):
        firmware.build()


def test_comments_indentation_blanks_of_styles_and_needless_quotes_go():
    page = (
        '<p class="a b" id="c">\n  <!-- no\n directive -->\n  x = "y"\n</p>\n'
        "<style>\n  a > b , c { d : e f; }\n</style>\n<script>\n  // why\n  f();\n</script>"
    )
    data = template.records(page)
    assert data[4:-4].decode() == (
        '<p class="a b" id=c>\nx = "y"\n</p>\n'
        "<style>a>b,c{d:e f;}</style>\n<script>\nf();\n</script>"
    )


def test_a_directive_alone_on_its_line_leaves_no_line():
    assert template.records("a\n  <!--if b-->\n  c\n  <!--end-->\nd") == template.records(
        "a\n<!--if b-->c\n<!--end-->d"
    )


def test_the_file_is_small_and_so_is_the_window_that_it_needs():
    data = template.data(PAGE)
    assert len(data) <= 4608
    assert 256 << (data[0] >> 4) <= 512, "the window is told in the head"
    assert len(zlib.decompress(data)) > 1.5 * len(data)
