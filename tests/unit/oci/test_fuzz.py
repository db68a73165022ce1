"""A sample of the archive fuzz; `tests/faults/fuzz_archives.py` runs as many as wanted."""

from __future__ import annotations

from tests.faults.fuzz_archives import fuzz


def test_mutated_archives_give_an_answer_or_invalid_image() -> None:
    """No mutation of an archive ends in another error; some are still read, most are refused."""
    found = fuzz(200)
    assert found.total() == 200
    assert found["InvalidImage"] > 50
    assert found["answer"] > 0
