"""What the tests of the review share: a folder of find_labels.py, a server on it, and a real browser."""

import shutil

import pytest

from tests.factories.found_labels import make_found
from tests.factories.review_server import serving

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture
def found(tmp_path):
    return make_found(tmp_path)


@pytest.fixture
def client(found):
    """Of a server on the folder ``found``, as the module of the test has it."""
    with serving(found.folder) as client:
        yield client


@pytest.fixture(scope="session")
def browser():
    """Chromium. It is no Python package, so no requirement of ours can bring it: see CONTRIBUTING.md."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("neither chromium nor google-chrome is on the PATH: see CONTRIBUTING.md")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
