"""`bin/screenshots [FOLDER] [--only WORD]`: pictures of every page and state, and index.html to look at them."""

import argparse
import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
from playwright.sync_api import Browser, BrowserContext, Error, Page, Response, sync_playwright

from config.run.chromium import find_or_install_chromium
from config.run.processes import ServerError
from config.run.state import ROOT
from tests.screenshots.site import Site, host_site, picture_folder, running_site

if TYPE_CHECKING:
    from tests.screenshots.pictures import Shot

SIZES = {360: 780, 1280: 900}
SCHEMES = ("light", "dark")
BROWSER = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
LONGEST_MS = 10_000
FAILURE = 500
HIGHEST = 2400  # pixels of one picture
REPAINTED_MS = 300


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bin/screenshots", description="A picture of every page and state.")
    parser.add_argument("folder", nargs="?", help="where the pictures go (.cache/screenshots)")
    parser.add_argument("--only", default="", metavar="WORD", help="those whose name has this word in it")
    return parser.parse_args(arguments)


class Photographer:
    """Takes each shot at every size in both schemes; remembers what could not be taken."""

    def __init__(self, browser: Browser, site: Site, folder: Path, only: str) -> None:
        """Take only shots with this word in their name."""
        self.browser, self.site, self.folder, self.only = browser, site, folder, only
        self.only_after = "admin-index" if "admin" in only else ""  # where staff sign in
        self.taken: list[str] = []
        self.failed: list[str] = []

    def take(self, shots: Iterable["Shot"]) -> None:
        """Take all of them."""
        wanted = [shot for shot in shots if self.only in shot.name or shot.name == self.only_after]
        for width in SIZES:
            for scheme in SCHEMES:
                with self.visitor(width, scheme) as context:
                    for shot in wanted:
                        self._take(context, shot, f"{shot.name}-{width}-{scheme}")

    @contextmanager
    def visitor(self, width: int, scheme: str) -> Iterator[BrowserContext]:
        """Somebody with this screen who likes it light or dark, without motion."""
        size: Any = {"width": width, "height": SIZES[width]}
        liked: Any = scheme
        context = self.browser.new_context(
            base_url=self.site.address, viewport=size, color_scheme=liked, reduced_motion="reduce"
        )
        context.set_default_timeout(LONGEST_MS)
        yield context
        context.close()

    def _take(self, context: BrowserContext, shot: "Shot", name: str) -> None:
        page = context.new_page()
        page.on("response", lambda answer: self._hear(answer, name))
        try:
            shot.open(page)
            page.wait_for_load_state("load")
            show_whole(page)
            page.screenshot(path=self.folder / f"{name}.png", animations="disabled")
            self.taken.append(name)
        except Error as error:
            self.failed.append(f"{name}: {error.message.splitlines()[0]}")
        finally:
            page.close()

    def _hear(self, answer: Response, name: str) -> None:
        if answer.status == FAILURE:
            self.failed.append(f"{name}: {answer.url} was answered {FAILURE}")

    def write_index(self) -> None:
        """Put all pictures on one page, a row for each shot."""
        names = sorted(
            {name.rsplit("-", 2)[0] for name in self.taken}, key=[n.rsplit("-", 2)[0] for n in self.taken].index
        )
        rows = [
            f"<section><h2>{name}</h2>"
            + "".join(
                f'<img loading=lazy src="{name}-{width}-{scheme}.png" width={width // 2} alt="{width} {scheme}">'
                for width in SIZES
                for scheme in SCHEMES
                if f"{name}-{width}-{scheme}" in self.taken
            )
            for name in names
        ]
        style = "<style>img { vertical-align: top; margin: 4px; border: 1px solid #888 } body { font: 16px sans-serif }"
        (self.folder / "index.html").write_text(f"<!doctype html><meta charset=utf-8>{style}</style>{''.join(rows)}")


def show_whole(page: Page) -> None:
    """Make the screen as high as the page: what sticks to it, or is another site's frame, is painted only in sight."""
    size = page.viewport_size
    height = min(int(page.evaluate("document.documentElement.scrollHeight")), HIGHEST)
    if size and height > size["height"]:
        page.set_viewport_size({"width": size["width"], "height": height})
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(REPAINTED_MS)


def photograph(site: Site, folder: Path, only: str) -> Photographer:
    """Set the stage and take every picture; the database goes before the last."""
    stages = importlib.import_module("tests.screenshots.stage")
    shots = importlib.import_module("tests.screenshots.shots")
    stage = stages.set_stage()
    script = f'<script src="{site.address}/static/embed/embed.js"'
    scripts = {
        "/activity": f'{script} data-activity="{stage.activity.id}"></script>',
        "/venue": f'{script} data-key="{stage.venue.embed_key}"></script>',
    }
    with host_site(scripts) as host, sync_playwright() as playwright:
        stage.venue.allowed_embed_origins = [host]
        stage.venue.save()
        browser = playwright.chromium.launch(executable_path=find_or_install_chromium(), args=BROWSER)
        photographer = Photographer(browser, site, folder, only)
        photographer.take(shots.shots(stage, site.address, host))
        photographer.take(shots.admin_shots(stage))
        site.servers.postgres.stop()
        photographer.take(shots.last_shots(stage))
        photographer.write_index()
        browser.close()
    return photographer


def main(arguments: list[str]) -> int:
    """Take the pictures; return 1 when one could not be taken."""
    chosen = parse(arguments)
    folder = picture_folder(chosen.folder)
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright keeps a loop in this thread; no coroutine of ours runs
    try:
        with running_site() as site:
            django.setup()
            importlib.import_module("config.celery")  # so that nudges reach the broker of these servers
            photographer = photograph(site, folder, chosen.only)
    except ServerError as error:
        sys.stderr.write(f"bin/screenshots: {error}\n")
        return 1
    shown = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    sys.stdout.write(f"{len(photographer.taken)} pictures in {shown}: open {shown}/index.html\n")
    for failure in photographer.failed:
        sys.stdout.write(f"NOT TAKEN: {failure}\n")
    return 1 if photographer.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
