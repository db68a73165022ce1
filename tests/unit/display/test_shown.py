"""What print() and a notebook show of results, lists and facts."""

from __future__ import annotations

from containerkit import EngineInfo, Logs, RunResult, Savings, Sharing, Waste, connect, discover
from containerkit.backends.records import Change, Processes, Stats
from containerkit.labs import HostStatus
from containerkit.layers.sharing import SharedLayer
from containerkit.layers.waste import WasteItem
from containerkit.resources.pruned import Pruned
from containerkit.testing import FakeBackend
from containerkit.values import ValueList, ValueTuple

EVIL = "<script>\x1b[2J"


class Named:
    """A resource with columns of its own."""

    def summary(self) -> dict[str, object]:
        return {"id": "sha256:" + "ab" * 32, "name": "web", "size": 2000}


def test_a_result_shows_output_line_by_line_and_its_exit_code() -> None:
    """HTML keeps the lines, escapes them and ends with the exit code and the duration."""
    page = RunResult(3, b"one\ntwo <b>\n", EVIL.encode(), 0.2, ("slow",))._repr_html_()
    assert "one\ntwo &lt;b&gt;" in page
    assert ">stderr</div>" in page
    assert "&lt;script&gt;\\x1b[2J" in page
    assert "exit code 3; 200 ms; slow" in page


def test_printing_a_result_gives_its_output() -> None:
    """A failure adds its exit code; a success adds nothing."""
    assert str(RunResult(0, b"out\n", b"", 0.1)) == "out"
    assert str(RunResult(3, b"out\n", b"err\n", 0.1)) == "out\nerr\nexit code 3"


def test_logs_show_their_lines() -> None:
    """Logs without output say so."""
    assert "a\nb</pre>" in Logs(b"a\nb\n", b"", "a\nb\n")._repr_html_()
    assert "no output" in Logs(b"", b"", "")._repr_html_()


def test_a_list_is_a_table_and_stays_a_list() -> None:
    """Columns come from summary(); an ID has 12 digits; sizes have units; the title counts."""
    listed = ValueList([Named(), Named()])
    assert isinstance(listed, list)
    text = str(listed)
    assert text.splitlines()[0].strip() == "2 nameds"
    assert "abababababab" in text
    assert "ab" * 7 not in text
    assert "2.00 kB" in text
    assert "<table" in listed._repr_html_()


def test_the_title_of_a_list_has_words_and_their_plural() -> None:
    """A class of two words is two words; a word in -s takes -es."""
    state = HostStatus("pc1", "running", "busybox:1", ())
    assert str(ValueTuple((state, state))).splitlines()[0].strip() == "2 host statuses"
    assert str(ValueTuple((state,))).splitlines()[0].strip() == "1 host status"


def test_a_tuple_of_changes_is_a_table_and_stays_a_tuple() -> None:
    """One row per change, in the singular for one."""
    changes = ValueTuple((Change("/etc/hosts", "modified"),))
    assert isinstance(changes, tuple)
    assert list(changes) == [Change("/etc/hosts", "modified")]
    assert "1 change" in str(changes)
    assert "1 changes" not in str(changes)
    assert "/etc/hosts" in changes._repr_html_()


def test_a_history_and_the_endpoints_are_tables() -> None:
    """history() and discover() return tuples with a title that counts."""
    with connect(FakeBackend(images=["app:1"])) as engine:
        history = engine.images.get("app:1").history()
    assert isinstance(history, tuple)
    assert str(history).startswith("1 history entry\n")
    assert str(ValueTuple((*history, *history))).startswith("2 history entries\n")
    assert "endpoint" in str(discover()) or discover() == ()


def test_an_empty_list_says_so() -> None:
    """An empty list prints "empty list", not nothing."""
    assert "empty list" in str(ValueList([]))


def test_stats_have_units() -> None:
    """Memory and traffic are bytes, processor time is seconds."""
    text = str(Stats(1.5, 2.0, 1000, 2000, 3, 4000, 5000, 6000, 7000, 0.0))
    for amount in ("1.00 kB", "2.00 kB", "4.00 kB", "5.00 kB", "6.00 kB", "7.00 kB", "2.00 s"):
        assert amount in text


def test_processes_are_the_table_that_ps_prints() -> None:
    """The titles are the columns."""
    lines = str(Processes(("PID", "CMD"), (("1", "sleep 9"),))).splitlines()
    assert [line.split() for line in lines if "PID" in line] == [["PID", "CMD"]]
    assert any(line.split() == ["1", "sleep", "9"] for line in lines)


def test_facts_of_an_engine_are_a_table_titled_by_their_type() -> None:
    """A class name becomes words."""
    info = EngineInfo(
        "docker", "28.5.2", "1.51", True, 2, "systemd", "overlay2", "graphdriver", "/store", "Debian", "x86_64",
        "6.1", 2, 2 * 10**9,
    )  # fmt: skip
    assert "Engine info" in str(info)
    assert "2.00 GB" in str(info)
    assert "Engine info" in info._repr_html_()


def test_a_pruned_result_has_html() -> None:
    """Every Value has a table in a notebook."""
    assert "web" in Pruned(("web",), 5)._repr_html_()


def test_savings_show_four_sums_above_their_table() -> None:
    """The picture comes first; a figure that is unknown has no bar but is named."""
    page = Savings((), (), 200, 100, None, 300)._repr_html_()
    assert page.index("<svg") < page.index("<table")
    for name in ("sum of the images", "distinct layers", "on disk", "full copies"):
        assert f">{name}<" in page


def test_waste_shows_a_map_only_if_something_is_wasted() -> None:
    """Bytes of one path wasted twice are added."""
    items = (WasteItem("/a/b", 5, "deleted", 1, None, 0), WasteItem("/a/b", 3, "deleted", 2, None, 1))
    waste = Waste(9, 1, items, 0.5, 8)
    assert waste.picture().sizes == {"/a/b": 8}
    assert "<svg" in waste._repr_html_()
    assert "<svg" not in Waste(9, 9, (), 1.0, 0)._repr_html_()


def test_sharing_shows_images_as_branches() -> None:
    """Each image has its layers, base first, and the containers made of it."""
    layers = (SharedLayer("c1", "d1", ("i1", "i2")), SharedLayer("c2", "d2", ("i1",)))
    sharing = Sharing(layers, {"i1": ("app:1",), "i2": ()}, {"web": "i1"})
    graph = sharing.picture()
    assert {name: [layer.id for layer in chain] for name, chain in graph.chains.items()} == {
        "app:1": ["c1", "c2"],
        "i2": ["c1"],
    }
    assert graph.containers == {"app:1": ("web",)}
    page = sharing._repr_html_()
    assert page.index("<svg") < page.index("<table")
