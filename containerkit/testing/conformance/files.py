"""Scenarios: copy in and out, diff, export, commit."""

from __future__ import annotations

import io
import os
import random
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ...backends.base import Capability
from ...engine import Engine
from ...errors import InvalidImage, NotFound
from ...resources.container import Container
from .base import (
    SLEEP,
    Scenarios,
    fresh_name,
    image_name,
    needs,
    shell,
)


class FileScenarios(Scenarios):
    """Copy in and out, diff, export, commit."""

    def test_copy_file_both_ways(self, box: Container, tmp_path: Path) -> None:
        """A file is unchanged after copying in and out."""
        data = random.Random(2).randbytes(200_000)
        (tmp_path / "a").write_bytes(data)
        box.copy_to(tmp_path / "a", "/tmp/b")
        assert box.read_file("/tmp/b") == data
        assert box.copy_from("/tmp/b", tmp_path / "c").read_bytes() == data

    def test_copy_into_folder(self, box: Container, tmp_path: Path) -> None:
        """A file copied into an existing directory keeps its name."""
        (tmp_path / "a").write_text("x")
        box.copy_to(tmp_path / "a", "/tmp")
        assert box.read_file("/tmp/a") == b"x"

    @needs(Capability.PROCESSES)
    def test_copy_folder_both_ways(self, box: Container, tmp_path: Path) -> None:
        """A directory is copied in and out with its content."""
        source = tmp_path / "src"
        (source / "sub").mkdir(parents=True)
        (source / "sub" / "f").write_text("deep")
        (source / "empty").mkdir()
        (source / "link").symlink_to("sub/f")
        box.copy_to(source, "/tmp/new")
        assert shell(box, "cat /tmp/new/sub/f; test -d /tmp/new/empty && readlink /tmp/new/link") == "deepsub/f"
        out = box.copy_from("/tmp/new", tmp_path / "back")
        assert (out / "sub" / "f").read_text() == "deep"
        assert (out / "empty").is_dir()
        assert os.readlink(out / "link") == "sub/f"

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("mode", [0o600, 0o755, 0o444])
    def test_copy_keeps_mode(self, box: Container, tmp_path: Path, mode: int) -> None:
        """Permission bits are kept both ways."""
        (tmp_path / "a").write_text("x")
        (tmp_path / "a").chmod(mode)
        box.copy_to(tmp_path / "a", "/tmp/b")
        assert shell(box, "stat -c %a /tmp/b") == f"{mode:o}"
        assert stat.S_IMODE(box.copy_from("/tmp/b", tmp_path / "c").stat().st_mode) == mode

    @needs(Capability.PROCESSES)
    def test_copy_sets_owner_and_mode(self, box: Container, tmp_path: Path) -> None:
        """uid, gid and mode are applied."""
        (tmp_path / "a").write_text("x")
        box.copy_to(tmp_path / "a", "/tmp/b", uid=12, gid=34, mode=0o640)
        assert shell(box, "stat -c '%u %g %a' /tmp/b") == "12 34 640"

    @needs(Capability.PROCESSES)
    def test_write_file(self, box: Container) -> None:
        """write_file creates a file with owner and mode."""
        box.write_file("/tmp/f", "grün\n", mode=0o600, uid=5, gid=6)
        assert shell(box, "stat -c '%u %g %a' /tmp/f; cat /tmp/f") == "5 6 600\ngrün"

    def test_write_file_replaces(self, box: Container) -> None:
        """write_file replaces an existing file."""
        box.write_file("/tmp/f", b"long content")
        box.write_file("/tmp/f", b"")
        assert box.read_file("/tmp/f") == b""

    @pytest.mark.parametrize("what", ["read", "copy-from", "copy-to", "write"])
    def test_missing_path(self, box: Container, tmp_path: Path, what: str) -> None:
        """A missing path or target directory in the container raises NotFound."""
        (tmp_path / "a").write_text("x")
        calls: dict[str, Callable[[], object]] = {
            "read": lambda: box.read_file("/none"),
            "copy-from": lambda: box.copy_from("/none", tmp_path / "b"),
            "copy-to": lambda: box.copy_to(tmp_path / "a", "/none/deep/b"),
            "write": lambda: box.write_file("/none/deep/b", "x"),
        }
        with pytest.raises(NotFound):
            calls[what]()

    def test_copy_to_missing_source(self, box: Container, tmp_path: Path) -> None:
        """A missing source on this machine raises FileNotFoundError."""
        with pytest.raises(FileNotFoundError):
            box.copy_to(tmp_path / "none", "/tmp/x")

    @needs(Capability.PROCESSES)
    def test_copy_into_a_stopped_container(self, engine: Engine, shell_image: str) -> None:
        """Copying works on a stopped container."""
        with engine.containers.create(shell_image, ["cat", "/in.txt"]) as container:
            container.write_file("/in.txt", "before\n")
            container.start()
            assert container.wait(timeout=30) == 0
            assert container.logs().stdout == "before\n"
            assert container.read_file("/in.txt") == b"before\n"

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(("kind", "path", "line"), [
        ("added", "/new", "touch /new"),
        ("deleted", "/etc/group", "rm /etc/group"),
        ("modified", "/etc/group", "echo x >>/etc/group"),
    ])  # fmt: skip
    def test_diff(self, box: Container, kind: str, path: str, line: str) -> None:
        """diff() reports added, modified and deleted paths."""
        if path != "/new" and box.exec(["test", "-f", path]).exit_code:
            pytest.skip(f"the image has no {path}")
        shell(box, line)
        assert (path, kind) in {(change.path, change.kind) for change in box.diff()}

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("link", ["/tmp/absolute", "/tmp/relative", "/tmp/relative/", "/tmp/file"])
    def test_copy_onto_a_link(self, engine: Engine, shell_image: str, tmp_path: Path, link: str) -> None:
        """copy_to follows a link in the container, to a directory or file, and keeps the link."""
        (tmp_path / "new").write_text("new\n")
        with engine.start(shell_image, SLEEP) as container:
            shell(
                container,
                "cd /tmp; mkdir d; echo old >old; ln -s /tmp/d absolute; ln -s d relative; ln -s /tmp/old file",
            )
            container.copy_to(tmp_path / "new", link)
            assert shell(container, f"test -L {link.rstrip('/')} && echo yes").strip() == "yes"
            place = "/tmp/old" if link == "/tmp/file" else "/tmp/d/new"
            assert container.read_file(place) == b"new\n"

    @needs(Capability.PROCESSES)
    def test_diff_of_a_folder_made_anew(self, engine: Engine, shell_image: str) -> None:
        """A directory that was removed and created again is reported as modified."""
        with engine.start(shell_image, SLEEP) as container:
            shell(container, "rm -r /etc; mkdir /etc; echo x >/etc/new")
            kinds = {change.path: change.kind for change in container.diff()}
        assert (kinds["/etc"], kinds["/etc/new"]) == ("modified", "added")

    def test_export(self, box: Container) -> None:
        """export() returns the merged file system as a tar."""
        box.write_file("/tmp/mark", "here")
        with box.export() as stream:
            data = b"".join(stream)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            file = tar.extractfile("tmp/mark")
            assert file is not None
            assert file.read() == b"here"

    def test_an_archive_goes_out_and_in(self, box: Container) -> None:
        """stream_archive() gives a tar of the path; put_archive() unpacks it into a folder that exists."""
        box.write_file("/tmp/mark", "here")
        data = box.stream_archive("/tmp/mark").read()
        box.write_file("/tmp/mark", "changed")
        box.put_archive("/tmp", io.BytesIO(data))
        assert box.read_file("/tmp/mark") == b"here"
        with pytest.raises(NotFound):
            box.put_archive("/nowhere", data)
        with pytest.raises(NotFound):
            box.stream_archive("/nowhere")

    def test_an_export_is_imported(self, engine: Engine, box: Container) -> None:
        """import_archive() makes one layer of an exported file system, with the requested changes."""
        box.write_file("/mark", "here\n")
        with image_name(engine) as ref, box.export() as stream:
            image = engine.images.import_archive(stream, ref, message="why", changes=['CMD ["cat", "/mark"]'])
            assert engine.images.get(ref) == image
            assert len(image.diff_ids) == 1
            assert [entry.comment for entry in image.history()] == ["why"]
            if Capability.PROCESSES in engine.capabilities:
                assert engine.run(ref).stdout == "here\n"
            with pytest.raises(InvalidImage):
                engine.images.import_archive(b"no archive" * 100, fresh_name())

    def test_commit(self, engine: Engine, box: Container, shell_image: str) -> None:
        """commit() creates an image with one more layer and the requested changes."""
        box.write_file("/mark", "here\n")
        with image_name(engine) as ref:
            image = box.commit(ref, message="why", author="me", changes=["ENV A=1", 'CMD ["cat", "/mark"]'])
            assert len(image.diff_ids) == len(engine.images.get(shell_image).diff_ids) + 1
            assert engine.images.get(ref) == image
            with engine.containers.create(ref) as made:
                assert made.read_file("/mark") == b"here\n"
            if Capability.PROCESSES in engine.capabilities:
                assert engine.run(ref).stdout == "here\n"
            assert "A=1" in image.config["Env"]
