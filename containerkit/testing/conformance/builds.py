"""Scenarios: builds."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    BuildFailed,
    InvalidOption,
    StartFailed,
    Unsupported,
)
from .base import (
    Scenarios,
    Untouchable,
    fresh_name,
    image_name,
    needs,
)


class BuildScenarios(Scenarios):
    """Builds."""

    @needs(Capability.BUILD)
    @pytest.mark.parametrize(
        ("context", "options", "line", "expected"),
        [
            ({"Dockerfile": "FROM {}\nCOPY a.txt /a\n", "a.txt": "A"}, {}, "cat /a", "A"),
            ({"Containerfile": "FROM {}\nCOPY d /d\n", "d/e": b"E"}, {}, "cat /d/e", "E"),
            ({"x/My.file": "FROM {}\nENV A=1\n"}, {"dockerfile": "x/My.file"}, "echo $A", "1"),
            ({"x/My.file": "FROM {}\nENV A=1\n"}, {"file": "x/My.file"}, "echo $A", "1"),
            ({"Dockerfile": "FROM {}\nARG V=0\nENV W=$V\n"}, {"build_args": {"V": 7}}, "echo $W", "7"),
            ({"Dockerfile": "FROM {}\nARG V=0\nENV W=$V\n"}, {"build_arg": ["V=x y"]}, "echo $W", "x y"),
            ({"Dockerfile": "FROM {}\nARG V=0\nENV W=$V\n"}, {}, "echo $W", "0"),
            ({"Dockerfile": "FROM {0} AS one\nENV A=1\nFROM {0} AS two\nENV A=2\n"}, {"target": "one"}, "echo $A", "1"),
            ({"Dockerfile": "FROM {0} AS one\nENV A=1\nFROM {0} AS two\nENV A=2\n"}, {}, "echo $A", "2"),
            ({"Dockerfile": "FROM {}\nRUN echo made >/made\n"}, {}, "cat /made", "made"),
            ({"Dockerfile": "FROM {0} AS one\nRUN echo 1 >/o\nFROM {0}\nCOPY --from=one /o /p\n"}, {}, "cat /p", "1"),
            ({"Dockerfile": "FROM {}\nRUN echo 1 >/o\n"}, {"no_cache": True}, "ls /o", "/o"),
            ({"Dockerfile": "FROM {}\nWORKDIR /w\nUSER 12\n"}, {}, "pwd; id -u", "/w\n12"),
        ],
        ids=["copy", "containerfile", "dockerfile", "file", "build-args", "build-arg-list", "build-arg-default",
             "target", "last-stage", "run", "copy-from-stage", "no-cache", "config"],
    )  # fmt: skip
    def test_build(
        self, engine: Engine, shell_image: str, context: dict[str, Any], options: Any, line: str, expected: str
    ) -> None:
        """A build follows its instructions and options."""
        files = {path: text.format(shell_image) if "FROM" in str(text) else text for path, text in context.items()}
        with image_name(engine) as ref:
            engine.images.build(files, tag=ref, **options)
            assert engine.run(ref, ["sh", "-c", line]).stdout.strip() == expected

    @needs(Capability.BUILD)
    @pytest.mark.parametrize("form", ["folder", "mapping"])
    def test_build_dockerignore(self, engine: Engine, shell_image: str, tmp_path: Path, form: str) -> None:
        """.dockerignore excludes files, and "!" includes them again."""
        files = {
            "Dockerfile": f"FROM {shell_image}\nCOPY . /ctx\n",
            ".dockerignore": "# comment\n*.log\n!keep.log\ndeep/**\n!deep/in/this\n",
            "a.log": "1",
            "keep.log": "2",
            "b.txt": "3",
            "deep/no": "4",
            "deep/in/this": "5",
        }
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        with image_name(engine) as ref:
            engine.images.build(tmp_path if form == "folder" else files, tag=ref)
            line = "cd /ctx; find . -type f | grep -v -i docker | sort"
            found = engine.run(ref, ["sh", "-c", line]).stdout.split()
        assert found == ["./b.txt", "./deep/in/this", "./keep.log"]

    @needs(Capability.BUILD)
    @pytest.mark.parametrize("form", ["folder", "mapping"])
    @pytest.mark.parametrize(
        ("rules", "copied"),
        [
            ("b.txt\n", [".dockerignore", "Dockerfile", "a.txt"]),
            ("Dockerfile\n", [".dockerignore", "a.txt", "b.txt"]),
            ("*\n!a.txt\n", ["a.txt"]),
        ],
        ids=["neither", "dockerfile", "both"],
    )  # fmt: skip
    def test_build_ignored_dockerfile(
        self, engine: Engine, shell_image: str, tmp_path: Path, form: str, rules: str, copied: list[str]
    ) -> None:
        """COPY sees the Dockerfile and .dockerignore, unless they are ignored."""
        files = {
            "Dockerfile": f"FROM {shell_image}\nCOPY . /ctx\n", ".dockerignore": rules, "a.txt": "1", "b.txt": "2",
        }  # fmt: skip
        for path, text in files.items():
            (tmp_path / path).write_text(text)
        with image_name(engine) as ref:
            engine.images.build(tmp_path if form == "folder" else files, tag=ref)
            assert engine.run(ref, ["ls", "-A", "/ctx"]).stdout.split() == copied

    @needs(Capability.BUILD)
    @pytest.mark.parametrize("spelling", ["absolute", "inside", "relative"])
    def test_build_dockerfile_by_path(self, engine: Engine, shell_image: str, tmp_path: Path, spelling: str) -> None:
        """dockerfile= takes any local path. COPY does not see a Dockerfile from outside of the context."""
        context = tmp_path / "context"
        context.mkdir()
        (context / "a.txt").write_text("1")
        path = (context if spelling == "inside" else tmp_path) / "My.Dockerfile"
        path.write_text(f"FROM {shell_image}\nCOPY . /ctx\n")
        given = "../My.Dockerfile" if spelling == "relative" else str(path)
        with image_name(engine) as ref:
            engine.images.build(context, tag=ref, dockerfile=given)
            copied = engine.run(ref, ["ls", "-A", "/ctx"]).stdout.split()
        assert copied == (["My.Dockerfile", "a.txt"] if spelling == "inside" else ["a.txt"])

    @needs(Capability.BUILD)
    def test_run_without_any_command(self, engine: Engine) -> None:
        """An image without a command raises StartFailed, and no container is left."""
        with image_name(engine) as ref:
            engine.images.build({"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "1"}, tag=ref)
            with pytest.raises(StartFailed) as caught:
                engine.run(ref)
            assert caught.value.exit_code == 127
            assert engine.containers.list(all=True, filters={"ancestor": ref}) == []

    @needs(Capability.BUILD)
    def test_build_labels(self, engine: Engine, shell_image: str) -> None:
        """labels= sets labels of the image."""
        with image_name(engine) as ref:
            built = engine.images.build({"Dockerfile": f"FROM {shell_image}\n"}, tag=ref, labels={"a": "1", "b": "x=y"})
            assert (built.labels["a"], built.labels["b"]) == ("1", "x=y")

    @needs(Capability.BUILD)
    def test_build_several_tags(self, engine: Engine, shell_image: str) -> None:
        """tag= accepts several names."""
        with image_name(engine) as one, image_name(engine) as two:
            built = engine.images.build({"Dockerfile": f"FROM {shell_image}\nENV A={fresh_name()}\n"}, tag=[one, two])
            assert set(built.refs) == {one.removeprefix("docker.io/"), two.removeprefix("docker.io/")}

    @needs(Capability.BUILD)
    def test_build_progress(self, engine: Engine, shell_image: str) -> None:
        """on_progress= receives the builder's output."""
        words: list[str] = []
        mark = fresh_name()
        with image_name(engine) as ref:
            engine.images.build(
                {"Dockerfile": f"FROM {shell_image}\nRUN echo {mark}\n"},
                tag=ref,
                no_cache=True,
                on_progress=lambda progress: words.append(progress.stream),
            )
        assert mark in "".join(words)

    @needs(Capability.BUILD)
    def test_build_failure(self, engine: Engine, shell_image: str) -> None:
        """A failed build raises BuildFailed with the log and the failed step."""
        mark = fresh_name()
        text = f"FROM {shell_image}\nENV A=1\nRUN echo {mark}; exit 9\nENV B=2\n"
        with image_name(engine) as ref:
            with pytest.raises(BuildFailed) as caught:
                engine.images.build({"Dockerfile": text}, tag=ref, no_cache=True)
            assert not engine.images.exists(ref)
        assert mark in caught.value.log
        assert caught.value.step is not None
        assert "exit 9" in caught.value.step

    @needs(Capability.BUILD)
    @pytest.mark.parametrize(
        "text",
        ["FRUM x\n", "", "FROM {}\nCOPY none /x\n", "FROM 127.0.0.1:9/none:1\n", "FROM {}\nRUN no-such-thing\n"],
        ids=["syntax", "empty", "copy-missing", "base-missing", "run"],
    )  # fmt: skip
    def test_build_failures(self, engine: Engine, shell_image: str, text: str) -> None:
        """Every failure of a build raises BuildFailed."""
        with pytest.raises(BuildFailed):
            engine.images.build({"Dockerfile": text.format(shell_image)}, no_cache=True)

    @needs(Capability.BUILD)
    @pytest.mark.parametrize("good", [True, False], ids=["good", "failed"])
    def test_build_leaves_no_container(self, engine: Engine, shell_image: str, good: bool) -> None:
        """A build leaves no intermediate container, also if it fails."""
        mark = fresh_name()
        text = f"FROM {shell_image}\nRUN echo {mark} one\nRUN echo {mark} two; {'true' if good else 'false'}\n"
        with image_name(engine) as ref:
            with contextlib.nullcontext() if good else pytest.raises(BuildFailed):
                engine.images.build({"Dockerfile": text}, tag=ref, no_cache=True)
            left = [item for item in engine.containers.list(all=True) if mark in " ".join(item.last_record.command)]
            assert left == []

    @pytest.mark.parametrize(
        ("context", "options"),
        [
            (5, {}), ({}, {}), ("/no/such/folder", {}), ({"Dockerfile": 5}, {}), ({"../x": "1", "Dockerfile": "x"}, {}),
            ({"Dockerfile": "FROM x"}, {"dockerfile": "none"}), ({"Dockerfile": "FROM x"}, {"tag": "BAD"}),
            ({"Dockerfile": "FROM x"}, {"colour": 1}), ({"Dockerfile": "FROM x"}, {"platform": "?"}),
            ({"Dockerfile": "FROM x"}, {"build_args": 5}),
        ],
        ids=["type", "empty", "missing", "content", "escape", "dockerfile", "tag", "unknown", "platform", "build-args"],
    )  # fmt: skip
    def test_build_bad_input(self, engine: Engine, context: Any, options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """An invalid context or option raises InvalidOption before anything is sent."""
        monkeypatch.setattr(engine._core, "_backend", Untouchable(engine._core.backend))
        with pytest.raises(InvalidOption):
            engine.images.build(context, **options)

    @needs(Capability.BUILD)
    def test_build_mounts_as_declared(self, engine: Engine, shell_image: str) -> None:
        """RUN --mount works if it is declared, and fails otherwise."""
        text = f"FROM {shell_image}\nRUN --mount=type=tmpfs,target=/t touch /t/x\n"
        with image_name(engine) as ref:
            if Capability.BUILD_MOUNTS in engine.capabilities:
                engine.images.build({"Dockerfile": text}, tag=ref)
                return
            with pytest.raises((BuildFailed, Unsupported)):
                engine.images.build({"Dockerfile": text}, tag=ref)
