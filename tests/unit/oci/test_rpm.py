"""rpm's databases: files that rpm itself wrote, and damaged ones."""

from __future__ import annotations

import contextlib
import lzma
import random
import sqlite3
from pathlib import Path

import pytest

from containerkit.oci.rpm import RpmHeader, rpm_headers

DATABASES = {path.stem: lzma.decompress(path.read_bytes()) for path in Path(__file__).with_name("rpm").glob("*.xz")}
FORMS = ("rpmdb.sqlite", "Packages.db", "Packages")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_states_the_same_packages(form: str) -> None:
    """Name, epoch, version, release, architecture and files, whatever the database."""
    files = ("", "/a", "/b")
    assert set(rpm_headers(DATABASES[form])) == {
        RpmHeader("alpha", "2:1.2-3", "x86_64", tuple(f"/usr/share/alpha{name}" for name in files)),
        RpmHeader("beta", "1.2-3", "noarch", tuple(f"/usr/share/beta{name}" for name in files)),
    }


@pytest.mark.parametrize("form", FORMS)
def test_damage_is_a_value_error(form: str) -> None:
    """A file that is cut, or of which bytes are changed, gives packages or ValueError, never another error."""
    numbers = random.Random(1)
    whole = DATABASES[form]
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(numbers.randrange(1, 20)):
            data[numbers.randrange(len(data))] = numbers.randrange(256)
        cut = data[: numbers.randrange(len(data))] if numbers.random() < 0.3 else data
        with contextlib.suppress(ValueError):
            rpm_headers(bytes(cut))


def test_a_view_is_not_executed(tmp_path: Path) -> None:
    """A database whose Packages is a view, which could compute for ever, is refused."""
    with sqlite3.connect(tmp_path / "db") as database:
        database.execute("CREATE VIEW Packages AS SELECT 1 AS hnum, x'00' AS blob")
    database.close()
    with pytest.raises(ValueError, match="without rpm's table"):
        rpm_headers((tmp_path / "db").read_bytes())
