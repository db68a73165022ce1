"""Environment: the variables, home folder, user ID and file system that configuration is read from."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """The variables, home folder, user ID and file system that configuration is read from.

    Attributes:
        variables: environment variables.
        home: the user's home folder.
        uid: the effective user ID.
        root: the folder that stands for "/"; tests use another one.
        temporary: the folder for temporary files.
    """

    variables: Mapping[str, str]
    home: Path
    uid: int
    root: Path = Path("/")
    temporary: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))

    @classmethod
    def current(cls) -> Environment:
        """Return the environment of this process."""
        home = os.path.expanduser("~")
        return cls(dict(os.environ), Path(home if home != "~" else "/nonexistent"), os.geteuid())

    def get(self, name: str) -> str:
        """Return a variable, or "" if it is unset; both command lines treat unset and empty alike."""
        return self.variables.get(name, "")

    def which(self, program: str) -> str | None:
        """Return the path of a program on PATH, or None."""
        return shutil.which(program, path=self.variables.get("PATH", os.defpath))

    @property
    def config_home(self) -> Path:
        """The folder of XDG_CONFIG_HOME, where podman keeps its files."""
        given = self.get("XDG_CONFIG_HOME")
        return Path(given) if given.startswith("/") else self.home / ".config"

    @property
    def docker_config(self) -> Path:
        """The folder of DOCKER_CONFIG, where docker keeps its files."""
        given = self.get("DOCKER_CONFIG")
        return Path(given) if given else self.home / ".docker"
