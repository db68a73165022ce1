"""A Dockerfile from history: what builders add to an instruction is left out, what is unknown is a comment."""

from __future__ import annotations

import pytest

from containerkit.oci.config import History
from containerkit.oci.dockerfile import dockerfile, instruction


@pytest.mark.parametrize(
    ("created_by", "written"),
    [
        ('/bin/sh -c #(nop)  CMD ["python3" "-i"]', 'CMD ["python3", "-i"]'),
        ("/bin/sh -c apt-get update", "RUN apt-get update"),
        ("|1 V=1 /bin/sh -c make $V", "RUN make $V"),
        ("RUN |1 V=1 /bin/sh -c make $V # buildkit", "RUN make $V"),
        ("RUN /bin/sh -c make # buildkit", "RUN make"),
        ("COPY app /app # buildkit", "COPY app /app"),
        (f"/bin/sh -c #(nop) ADD file:{'a' * 64} in / ", f"ADD file:{'a' * 64} /"),
        ("EXPOSE map[80/tcp:{}]", "EXPOSE 80/tcp"),
        ("VOLUME [/a /b]", 'VOLUME ["/a", "/b"]'),
        ('VOLUME ["/a"]', 'VOLUME ["/a"]'),
        ('CMD ["a", "b"]', 'CMD ["a", "b"]'),
        ("ENV A=b", "ENV A=b"),
        ("umoci insert", ""),
        ("", ""),
    ],
)
def test_an_instruction_as_one_writes_it(created_by: str, written: str) -> None:
    """The forms of the classic builder, BuildKit and Buildah."""
    assert instruction(created_by)[0] == written


def test_what_is_unknown_is_a_comment() -> None:
    """The base of Buildah's images, build arguments and foreign lines; no line escapes its comment."""
    text = dockerfile(
        [
            History(created_by="|1 V=1\nRUN evil /bin/sh -c make"),
            History(created_by="tool\nRUN evil", comment="FROM docker.io/library/base:1"),
        ]
    )
    assert text.splitlines()[1:] == [
        "FROM scratch",
        "# with build arguments: V=1 RUN evil",
        "RUN make",
        "# on top of docker.io/library/base:1",
        "# not an instruction of a Dockerfile: tool RUN evil",
    ]
