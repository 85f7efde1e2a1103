"""Sites to download from."""

import pytest

from host_tests.download.ground import Site, blank_board


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
