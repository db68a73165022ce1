"""Browse an image: in a real pseudo-terminal, and on a page in a browser if there is one."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path

import pytest
from click.testing import CliRunner

import containerkit as ck
from containerkit.cli import app
from containerkit.testing.archives import ImageBuilder

IMAGE = (
    ImageBuilder()
    .layer(files={"etc/passwd": 1000, "data/big": 90_000, "usr/lib/os": 10}, created_by="COPY base /")
    .layer(files={"etc/passwd": 900, "opt/</script><b>": 7}, whiteouts=["data/big"], created_by="RUN change-things")
    .tag("lab/app:1")
)
#: Seconds until which the program has to react, on any machine.
PATIENCE = 90.0


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "image.tar").write_bytes(IMAGE.to_docker_archive())
    return tmp_path / "image.tar"


# ---------------------------------------------------------------- the page
def test_the_page_is_whole_and_needs_nothing(archive: Path, tmp_path: Path) -> None:
    """All facts are in it, no name ends its script, and it refers to nothing outside."""
    assert CliRunner().invoke(app, ["explore", str(archive), "--html", str(tmp_path / "x.html")]).exit_code == 0
    page = (tmp_path / "x.html").read_text()
    assert page == ck.open_archive(archive).to_page()
    assert page.count("</script>") == 2
    assert "RUN change-things" in page
    assert not re.search(r"(src|href)=|@import|url\(", page)
    assert set(re.findall(r"https?://[\w./]+", page)) == {"http://www.w3.org/2000/svg"}


BROWSER = next(
    (found for name in ("chromium", "google-chrome", "chromium-browser") if (found := shutil.which(name))), None
)


@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
def test_the_page_in_a_browser(archive: Path, tmp_path: Path) -> None:
    """Its script runs: layers, the tree with marks, areas and the waste are in the document."""
    (tmp_path / "x.html").write_text(ck.open_archive(archive).to_page())
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    shown = subprocess.run(
        [*command, "--dump-dom", (tmp_path / "x.html").as_uri()], capture_output=True, text=True, timeout=PATIENCE
    ).stdout
    assert "<title>Layers of lab/app:1</title>" in shown
    assert shown.count('<div class="bar"') == 2
    assert re.search(r'class="folder "[^>]*data-path="/etc"', shown)
    assert shown.count("<rect") >= 2
    assert shown.rstrip().endswith("</html>")
    assert "2 layers, 91.9 kB in files, 917 B seen by a container, 91.0 kB wasted" in shown


# ---------------------------------------------------------------- the terminal
class Screen:
    """The program in a pseudo-terminal, and the text that it has written so far."""

    def __init__(self, *args: str) -> None:
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="40")
            os.execv(sys.executable, [sys.executable, "-m", "containerkit", *args])
        ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._seen = b""

    @property
    def text(self) -> str:
        """The characters without escape sequences."""
        return re.sub(r"\x1b\[[0-9;?<>=]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b.", "", self._seen.decode("utf-8", "replace"))

    def wait_for(self, *words: str) -> None:
        """Read until all words were written since the last call of `press`."""
        end = time.monotonic() + PATIENCE
        while not all(word in self.text for word in words):
            assert time.monotonic() < end, f"{words} not in: {self.text[-3000:]}"
            if select.select([self.terminal], [], [], 0.2)[0]:
                try:
                    self._seen += os.read(self.terminal, 1 << 16)
                except OSError:
                    raise AssertionError(f"the program ended: {self.text[-3000:]}") from None

    def press(self, keys: str) -> None:
        """Forget what was written, and send keys."""
        self._seen = b""
        os.write(self.terminal, keys.encode())

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        with pytest.raises(OSError, match="Input/output error"):
            while True:
                os.read(self.terminal, 1 << 16)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def screen(archive: Path) -> Iterator[Screen]:
    pytest.importorskip("textual")
    shown = Screen("explore", str(archive))
    try:
        yield shown
    finally:
        os.close(shown.terminal)


def test_layers_and_files_in_a_terminal(screen: Screen) -> None:
    """The top layer is shown first; keys choose another, changes only, a folder, a filter, and end it."""
    screen.wait_for("COPY base /", "RUN change-things", "etc/", "91.9 kB in files", "layer 1 of 1")
    screen.press("c")
    screen.wait_for("only changes;")
    screen.press("s")
    screen.wait_for("by name")
    screen.press("c\x1b[A")  # up: the layer below
    screen.wait_for("layer 0 of 1", "data/")
    screen.press("/")
    screen.wait_for("part of a path")
    screen.press("passwd\r")
    screen.wait_for("'passwd'")  # the line may be broken before it
    screen.press("q")
    assert screen.end() == 0


def test_without_a_terminal(archive: Path) -> None:
    """The command says that it needs one, and what to do."""
    pytest.importorskip("textual")
    found = CliRunner().invoke(app, ["explore", str(archive)])
    assert found.exit_code == 1
    assert "--html" in found.stderr
