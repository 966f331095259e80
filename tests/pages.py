"""Pages in HTML: what they link to, and whether a browser shows all of it."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

VOID = {"meta", "link", "img", "br", "hr", "input"}
CHECK = """<script>
addEventListener("load", () => {
  const broken = [...document.images].filter((image) => !image.naturalWidth);
  document.body.dataset.images = document.images.length;
  document.body.dataset.broken = broken.map((image) => image.src).join(" ");
  document.body.dataset.dark = getComputedStyle(document.body).backgroundColor;
});
</script></body>"""


class Page(HTMLParser):
    """Collects links, images and anchors, and holds tags against each other."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.links, self.images, self.ids, self.open = [], [], [], []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            raise AssertionError("a page that needs no script has one")
        if tag == "a":
            self.links.append(given["href"])
        if tag == "img":
            assert given["alt"]
            self.images.append(given["src"])
        if "id" in given:
            self.ids.append(given["id"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def check_links(path: Path, page: Page) -> None:
    """Every link is relative and leads to a file, or an anchor, that is there."""
    assert len(page.ids) == len(set(page.ids))
    assert page.images
    for target in (*page.links, *page.images):
        parts = urlparse(target)
        assert not parts.scheme, target
        assert not parts.netloc, target
        assert not parts.path.startswith("/"), target
        if parts.path:
            assert (path.parent / unquote(parts.path)).stat().st_size > 0, target
        else:
            assert parts.fragment in page.ids, target


def browser() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def check_in_browser(path: Path, page: Page, folder: Path) -> None:
    """Show it in Chromium from its file: every image loads, nothing is said on the console."""
    program = browser()
    if program is None:
        pytest.skip("there is no Chromium here")
    checked = path.with_name("checked.html")
    checked.write_text(path.read_text(encoding="utf-8").replace("</body>", CHECK), "utf-8")
    for dark in (False, True):
        dom, said = _shown(program, checked, folder / f"profile-{dark}", dark)
        (body,) = re.findall(r"<body ([^>]*)>", dom)
        assert f'data-images="{len(page.images)}"' in body
        assert 'data-broken=""' in body, body
        background = re.search(r'data-dark="rgb\((\d+), ', body)
        assert background is not None
        assert (int(background[1]) < 128) == dark
        assert "CONSOLE" not in said, said
    checked.unlink()


def _shown(program: str, path: Path, profile: Path, dark: bool) -> tuple[str, str]:
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--enable-logging=stderr", f"--user-data-dir={profile}", "--virtual-time-budget=20000",
    ]  # fmt: skip
    if dark:
        flags.append("--blink-settings=preferredColorScheme=0")
    done = subprocess.run(
        [program, *flags, "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr
