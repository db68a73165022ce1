"""A user's script that names the types of what it gets: `nox -s package` checks it against the installed wheel."""

from __future__ import annotations

import containerkit as ck
from containerkit.testing import FakeBackend


def lines_of(engine: ck.Engine, image: str) -> list[str]:
    result: ck.RunResult = engine.run(image, ["cat", "/etc/os-release"], check=True, env={"A": "1"}, workdir="/etc")
    return result.stdout.splitlines()


def names(engine: ck.Engine) -> list[str]:
    containers: list[ck.Container] = engine.containers.list(all=True)
    return [container.name for container in containers]


def figures(engine: ck.Engine, image: str) -> tuple[int, float | None]:
    savings: ck.Savings = engine.savings([image])
    stack: ck.LayerStack = engine.layers(image)
    return sum(layer.sizes.content or 0 for layer in stack), savings.ratio


def failed(engine: ck.Engine) -> tuple[str, ...]:
    report: ck.IsolationReport = engine.check(probe=False)
    return tuple(result.id for result in report.results if result.status == "fail")


def mistakes(engine: ck.Engine) -> None:
    """Make mistakes that a type checker has to find; an unused "ignore" is an error."""
    engine.run("app:1", memori="64m")  # type: ignore[call-arg]
    engine.run("app:1", memory=["64m"])  # type: ignore[arg-type]
    engine.containers.get(5)  # type: ignore[arg-type]


def main() -> None:
    with ck.connect(FakeBackend(images=["app:1"], commands={"cat /etc/os-release": "ID=app"})) as engine:
        print(lines_of(engine, "app:1"), names(engine))
        with engine.start("app:1", "cat /etc/os-release", name="web", publish={80: 8080}) as box:
            exit_code: int = box.wait(timeout=5)
            print(exit_code, box.logs().stdout)
        try:
            engine.images.get("none:1")
        except ck.ImageNotFound as exc:
            print(exc.status)


if __name__ == "__main__":
    main()
