"""Sites to download from; the seed of the samples is printed at the end."""

import pytest

from host_tests.download.ground import SEED, Site, blank_board


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"downloads: FLYVE_SEED={SEED} repeats this sample")


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A board's folder, to be copied."""
    return blank_board(tmp_path_factory.mktemp("template") / "board")


@pytest.fixture
def make_site(tmp_path, template):
    """Makes sites; all are closed at the end."""
    made = []

    def make(**options):
        site = Site(tmp_path / str(len(made)), template, **options)
        made.append(site)
        return site

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(make_site):
    """A site whose backend has the real one's quirks."""
    return make_site()
