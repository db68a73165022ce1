"""Which tests belong to which module, and which lines are not mutated."""

from __future__ import annotations

#: Module -> the tests that have to notice a change to it. Few tests a module keep a mutant at a second or two.
MODULES: dict[str, tuple[str, ...]] = {
    "containerkit/options/*.py": (
        "tests/unit/test_options.py",
        "tests/unit/test_option_table.py",
        "tests/unit/test_option_values.py",
    ),
    "containerkit/backends/_render.py": ("tests/unit/test_option_table.py", "tests/unit/backends"),
    "containerkit/backends/_parse*.py": ("tests/unit/backends",),
    "containerkit/backends/_json.py": ("tests/unit/backends",),
    "containerkit/backends/_follow.py": ("tests/unit/backends",),
    "containerkit/resources/session.py": ("tests/unit/test_session.py", "tests/unit/test_leftovers.py"),
    "containerkit/resources/liveness.py": ("tests/unit/test_leftovers.py",),
    "containerkit/resources/context.py": ("tests/unit/resources",),
    "containerkit/resources/ignore.py": ("tests/unit/resources",),
    "containerkit/resources/copying.py": ("tests/unit/resources", "tests/unit/test_fake.py"),
    "containerkit/resources/packing.py": ("tests/unit/resources", "tests/unit/test_fake.py"),
    "containerkit/unpack/extract.py": ("tests/unit/resources",),
    "containerkit/layers/*.py": ("tests/unit/layers",),
    "containerkit/oci/*.py": (
        "tests/unit/oci",
        "tests/unit/layers/test_known_answers.py",
        "tests/unit/layers/test_store_readers.py",
        "tests/unit/layers/test_packages.py",
        "tests/unit/layers/test_measured.py",
        "tests/unit/layers/test_questions.py",
    ),
}

#: Lines that are not mutated: text for people, imports of types, and values whose exact size nobody promises.
PATTERNS = (
    r"\"[^\"]* [^\"]*\"",  # a message: text with a space
    r"'[^']* [^']*'",
    r"\blog\.(debug|info|warning)\(",
    r"TypeVar\(",
    r"if TYPE_CHECKING",
    r"\bcast\(",
    r"^\s*@",
    r"time\.sleep\(",
    r"encode\(\"utf-8\"|decode\(\"utf-8\"|encoding=",
)

#: Entries of MODULES whose tests are quick: what the sample is taken from.
SAMPLED = ("_parse", "_json", "session", "liveness", "context", "ignore", "extract")

#: Tests that measure time or memory, look at the source, or take seconds.
DESELECTED = (
    "tests/unit/layers/test_generated.py::test_dive_numbers_equal_dive",
    "tests/unit/layers/test_generated.py::test_tree_equals_reference",
    "tests/unit/layers/test_known_answers.py::test_linear_in_whiteouts",
    "tests/unit/oci/test_hostile_archives.py::test_a_million_entries_stay_within_memory",
    "tests/unit/oci/test_hostile_archives.py::test_decompression_is_bounded_in_memory",
    "tests/unit/test_docs.py",
    "tests/unit/test_option_table.py::test_a_generated_file_is_up_to_date",
    "tests/unit/test_options.py::test_garbage_raises_nothing_but_invalid_option",
    "tests/unit/test_walls.py",
)
