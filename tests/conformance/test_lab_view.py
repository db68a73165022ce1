"""The web page of a lab in a real browser, on a real engine: the drawing, a broken link, a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

import containerkit as ck
from containerkit.labs import Lab, View
from tests.browser import CHROMIUM, Browser


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_the_page_in_a_browser(engine: ck.Engine, shell_image: str, tmp_path: Path) -> None:
    """Hosts and links are shown, counters move, a cut cable is dashed, a command typed into a terminal runs."""
    with Lab(engine, image=shell_image) as lab:
        lab.add("pc1", {"A": "10.0.0.1/24"})
        lab.add("pc2", {"A": "10.0.0.2/24"})
        lab.up()
        with View(lab) as view, Browser(tmp_path / "profile") as browser:
            browser.open(view.url)
            browser.wait_for("document.querySelectorAll('#drawing g[data-host]').length === 2")
            browser.wait_for("[...document.querySelectorAll('#links tr')].every(r => r.cells[3].innerText === 'up')")
            lab["pc1"].exec("ping -c 3 -s 1400 10.0.0.2", user="0", check=True)
            browser.wait_for("document.querySelector('#links tr').cells[4].innerText.endsWith(' kB')")
            lab.link_down("pc2")
            browser.wait_for("document.querySelector('#drawing path[stroke-dasharray]') !== null")
            assert browser.run("[...document.querySelectorAll('#links tr')].pop().cells[3].innerText") == "down"
            lab.link_up("pc2")
            browser.run("void document.querySelector('#drawing g[data-host=pc1]').onclick()")
            browser.wait_for("document.querySelector('.xterm-rows') !== null")
            browser.wait_for("/[#$] *$/.test(document.querySelector('.xterm-rows').innerText.trimEnd())")
            browser.type("echo $((6*7))-$(hostname)\r")
            browser.wait_for("document.querySelector('.xterm-rows').innerText.includes('42-pc1')")
            browser.type("exit\r")
            browser.wait_for("document.getElementById('terminals').hidden")
            assert browser.run("fetch(location.href.replace(/[^/]+\\/$/, 'wrong/state')).then(r => r.status)") == 403
            browser.open("data:text/html,<title>elsewhere</title>")
            browser.wait_for("document.title === 'elsewhere'")
            script = f"fetch('{view.url}state').then(r => 'read ' + r.status, () => 'refused')"
            assert browser.run(script) == "refused"
