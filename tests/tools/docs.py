# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the documentation site, and measures its pages in Chromium: `make docs`.

The only argument is the folder for the site. Needs the environment of tests/requirements/docs.txt.
"""

from __future__ import annotations

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tools.checkout import ROOT, copy, run

WIDTH = 1200  # pixels
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Loads each page in a frame, and lists what does not fit: elements that scroll sideways, and a page wider than the
# frame. Pages that were not loaded are not listed either, so their number is reported.
MEASURE = """
<!doctype html><title>measuring</title><pre id="report"></pre>
<script>
(async () => {
  const report = {pages: 0, wide: []};
  for (const page of %s) {
    const frame = document.createElement("iframe");
    frame.style = "border: 0; width: %dpx; height: 900px";
    frame.src = "/" + page;
    const loaded = new Promise((done) => { frame.onload = done; });
    document.body.append(frame);
    await loaded;
    // The theme puts tables into boxes afterwards.
    await new Promise((done) => setTimeout(done, 500));
    const inside = frame.contentDocument;
    report.pages += inside.querySelectorAll("h1").length ? 1 : 0;
    for (const element of inside.querySelectorAll("html, table, pre, .wy-table-responsive, .highlight, nav a")) {
      if (element.scrollWidth > element.clientWidth) {
        const text = element.innerText.trim().split(/\\s+/, 9).join(" ");
        report.wide.push(`${page}: ${element.tagName} ${element.className}: ${text}`);
      }
    }
    frame.remove();
  }
  document.getElementById("report").textContent = JSON.stringify(report);
  document.title = "measured";
})();
</script>
"""


def build(site: Path) -> None:
    """Build the site, and fail with each warning."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "rst")
        source.mkdir()
        collection = copy(Path(folder, "tree"))
        run(
            "antsibull-docs",
            "collection",
            "--use-current",
            "--squash-hierarchy",
            "--no-add-antsibull-docs-version",
            "--fail-on-error",
            "--dest-dir",
            source,
            "huaweicloud.drs",
            path=Path(sys.executable).parent,
            ANSIBLE_COLLECTIONS_PATH=f"{folder}/tree",
        )
        shutil.copy(collection / "docs/index.rst", source)  # replaces the generated index
        shutil.copytree(collection / "docs/docsite/rst/images", source / "docsite/images")
        shutil.rmtree(site, ignore_errors=True)
        run("sphinx-build", "-E", "-W", "--keep-going", "-c", ROOT / "docs", "-d", f"{folder}/doctrees", source, site)


def measure(site: Path) -> list[str]:
    """Return what is wider than a window of WIDTH pixels, one line per element."""
    assert CHROMIUM
    pages = sorted(str(page.relative_to(site)) for page in site.rglob("*.html") if page.name != "search.html")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/measure":
                return super().do_GET()
            content = (MEASURE % (json.dumps(pages), WIDTH)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with tempfile.TemporaryDirectory() as profile:
            done = subprocess.run(
                [
                    CHROMIUM,
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--no-first-run",
                    # Everything else is on other hosts, for example fonts.
                    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                    f"--user-data-dir={profile}",
                    f"--window-size={WIDTH + 100},1000",
                    "--virtual-time-budget=120000",
                    "--dump-dom",
                    f"http://127.0.0.1:{server.server_port}/measure",
                ],
                capture_output=True,
                encoding="utf-8",
                timeout=240,
                check=False,
            )
        server.shutdown()
    report = re.search('<pre id="report">(.+?)</pre>', done.stdout, re.DOTALL)
    assert report, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    found = json.loads(html.unescape(report[1]))
    assert found["pages"] == len(pages), found
    return list(found["wide"])


def main(site: Path) -> int:
    build(site)
    print(f"built {site / 'index.html'}")
    if not CHROMIUM:
        print("not measured, because Chromium is not installed")
        return 0
    wide = measure(site)
    print("\n".join([*wide, f"{len(wide)} elements are wider than the page, in a window of {WIDTH} pixels"]))
    return bool(wide)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
