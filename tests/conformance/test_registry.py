"""Push and pull against real registries: the same outcome, or the same error with the registry's reason, everywhere."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator

import pytest

import containerkit as ck
from containerkit.testing.archives import ImageBuilder
from tests.proxy import Proxy, budget, everything
from tests.registry.fixtures import Registries

_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    """A repository that no other test has."""
    return f"containerkit/r{os.getpid()}x{next(_numbers)}"


def make(engine: ck.Engine, ref: str, *, size: int = 1000) -> ck.Image:
    """An image whose one layer, of random bytes, exists nowhere else."""
    (image,) = engine.images.load(ImageBuilder().layer(files={"data": os.urandom(size)}).tag(ref).to_docker_archive())
    return image


def forget(engine: ck.Engine, image: ck.Image) -> None:
    """Remove an image with all of its names."""
    engine.images.remove(image.id, force=True)
    assert not engine.images.exists(image.id)


@pytest.fixture
def pushed(engine: ck.Engine, registries: Registries, name: str) -> Iterator[tuple[str, str]]:
    """(ref on the open registry, ID) of an image that is there, and not here."""
    ref = f"{registries.open}/{name}:1"
    image = make(engine, ref)
    engine.images.push(ref)
    forget(engine, image)
    yield ref, image.id
    if engine.images.exists(ref):
        engine.images.remove(ref, force=True)


# ---------------------------------------------------------------- there and back
def test_push_and_pull(engine: ck.Engine, pushed: tuple[str, str]) -> None:
    """What is pushed and removed comes back as the same image, under the name that was asked for."""
    ref, identity = pushed
    image = engine.images.pull(ref)
    assert ref in image.refs
    assert image.diff_ids == engine.images.get(ref).diff_ids
    if engine.info().image_store == "graphdriver":  # else the ID is the manifest's digest, which a push makes anew
        assert image.id == identity


def test_progress_is_told(engine: ck.Engine, registries: Registries, name: str) -> None:
    """Both ways on_progress is called, and what it is told is readable."""
    ref = f"{registries.open}/{name}:1"
    image = make(engine, ref, size=2_000_000)
    there: list[ck.Progress] = []
    engine.images.push(ref, on_progress=there.append)
    forget(engine, image)
    back: list[ck.Progress] = []
    forget(engine, engine.images.pull(ref, on_progress=back.append))
    assert there
    assert back
    assert all(step.status or step.image_id or step.stream for step in [*there, *back])


def test_a_digest_names_the_image(engine: ck.Engine, pushed: tuple[str, str]) -> None:
    """After a pull the registry's digest is among the image's, and pulls the same image without the tag."""
    ref, _ = pushed
    image = engine.images.pull(ref)
    digests = [digest for digest in image.digests if digest.startswith(ref.rpartition(":")[0] + "@sha256:")]
    assert digests
    forget(engine, image)
    found = set()
    for digest in digests:
        with contextlib.suppress(ck.ImageNotFound):  # Podman tells those of the image's other manifests too
            found.add(engine.images.pull(digest).id)
    assert found == {image.id}
    forget(engine, image)


def test_no_tag_means_latest(engine: ck.Engine, registries: Registries, name: str) -> None:
    """A push and a pull without a tag mean "latest", and one image, not all of them."""
    ref = f"{registries.open}/{name}"
    image = make(engine, f"{ref}:latest")
    other = make(engine, f"{ref}:other")
    engine.images.push(f"{ref}:other")
    engine.images.push(ref)
    forget(engine, image)
    forget(engine, other)
    assert engine.images.pull(ref).diff_ids == image.diff_ids
    assert not engine.images.exists(f"{ref}:other")
    engine.images.remove(f"{ref}:latest")


def test_another_platform_is_not_taken_for_it(engine: ck.Engine, pushed: tuple[str, str]) -> None:
    """An image for one platform only is no answer to a pull for another: that is said, not passed over."""
    with pytest.raises(ck.PullFailed, match="linux/s390x"):
        engine.images.pull(pushed[0], platform="linux/s390x")


# ---------------------------------------------------------------- refusals
def _unreachable(ref: str) -> str:
    return f"127.0.0.1:9/{ref.partition('/')[2]}"


_REFUSED: dict[str, tuple[type[ck.EngineError], str, Callable[[ck.Engine, str], object]]] = {
    "tag-unknown": (ck.ImageNotFound, "manifest unknown|: not found", lambda e, r: e.images.pull(f"{r}9")),
    "name-unknown": (
        ck.ImageNotFound,
        "unknown|: not found",
        lambda e, r: e.images.pull(f"{r.rpartition(':')[0]}-not:1"),
    ),
    "pull-unreachable": (ck.PullFailed, "connection refused", lambda e, r: e.images.pull(_unreachable(r))),
    "pull-no-such-host": (ck.PullFailed, "no-such.invalid", lambda e, r: e.images.pull("no-such.invalid/x:1")),
    "push-missing": (ck.ImageNotFound, "no image", lambda e, r: e.images.push(f"{r}9")),
    "run-pulls-in-vain": (ck.ImageNotFound, "manifest unknown|: not found", lambda e, r: e.run(f"{r}9")),
    "start-pulls-in-vain": (ck.PullFailed, "connection refused", lambda e, r: e.start(_unreachable(r))),
    "run-always": (ck.PullFailed, "connection refused", lambda e, r: e.run(_unreachable(r), pull="always")),
    "login-unreachable": (ck.EngineError, "connection refused", lambda e, r: e.login("u", "p", registry="127.0.0.1:9")),
}


@pytest.mark.parametrize("case", _REFUSED)
def test_a_refusal_has_its_reason(engine: ck.Engine, pushed: tuple[str, str], case: str) -> None:
    """A pull or push that fails raises one class on every engine, with the registry's words, and leaves nothing."""
    kind, words, act = _REFUSED[case]
    before = {image.id for image in engine.images.list(all=True)}
    with pytest.raises(kind) as caught:
        act(engine, pushed[0])
    assert type(caught.value) is kind
    assert any(each in str(caught.value) for each in words.split("|"))  # containerd has words of its own
    assert caught.value.__context__ is None or caught.value.__suppress_context__, "a user sees one error"
    assert {image.id for image in engine.images.list(all=True)} == before


def test_a_failed_push_has_its_reason(engine: ck.Engine, name: str) -> None:
    """A push to where nobody listens is PushFailed."""
    ref = f"127.0.0.1:9/{name}:1"
    image = make(engine, ref)
    with pytest.raises(ck.PushFailed, match="connection refused"):
        engine.images.push(ref)
    forget(engine, image)


# ---------------------------------------------------------------- credentials
@pytest.fixture
def private(engine: ck.Engine, registries: Registries, name: str) -> Iterator[str]:
    """The ref of an image on the registry that asks who is there; it is here too."""
    ref = f"{registries.auth}/{name}:1"
    image = make(engine, ref)
    engine.images.push(ref, auth=(registries.user, registries.password))
    yield ref
    if engine.images.exists(image.id):
        forget(engine, image)


@pytest.mark.parametrize("auth", [None, ("lab", "wrong"), ("nobody", "labpass")], ids=["none", "password", "user"])
@pytest.mark.parametrize("verb", ["pull", "push"])
def test_the_wrong_credentials(engine: ck.Engine, private: str, verb: str, auth: tuple[str, str] | None) -> None:
    """Without the right credentials a pull and a push are AuthenticationFailed, which says what to do."""
    with pytest.raises(ck.AuthenticationFailed, match=f"log in to {private.partition('/')[0]}"):
        getattr(engine.images, verb)(private, auth=auth)


def test_credentials_for_one_call(engine: ck.Engine, registries: Registries, private: str) -> None:
    """auth= is for that call, and is not remembered."""
    image = engine.images.pull(private, auth=(registries.user, registries.password))
    with pytest.raises(ck.AuthenticationFailed):
        engine.images.pull(private)
    forget(engine, image)


def test_login_is_kept_by_one_engine(engine: ck.Engine, registries: Registries, private: str) -> None:
    """After login() an Engine pulls and pushes without more words; another Engine, or a later one, does not."""
    with ck.connect(engine.url) as mine, ck.connect(engine.url) as other:
        mine.login(registries.user, registries.password, registry=registries.auth)
        mine.images.push(private)
        assert mine.images.pull(private).refs
        with pytest.raises(ck.AuthenticationFailed):
            other.images.pull(private)
    with ck.connect(engine.url) as later, pytest.raises(ck.AuthenticationFailed):
        later.images.pull(private)


def test_a_wrong_login(engine: ck.Engine, registries: Registries, private: str) -> None:
    """A login that the registry refuses is AuthenticationFailed, and forgets none that worked."""
    with ck.connect(engine.url) as mine:
        with pytest.raises(ck.AuthenticationFailed):
            mine.login(registries.user, "wrong", registry=registries.auth)
        with pytest.raises(ck.AuthenticationFailed):
            mine.images.pull(private)
        mine.login(registries.user, registries.password, registry=registries.auth)
        with pytest.raises(ck.AuthenticationFailed):
            mine.login(registries.user, "wrong", registry=registries.auth)
        assert mine.images.pull(private).refs


def test_a_build_uses_the_login(engine: ck.Engine, registries: Registries, private: str) -> None:
    """FROM an image of a registry that was logged in to is pulled with those credentials."""
    forget(engine, engine.images.get(private))
    with ck.connect(engine.url) as mine:
        context = {"Dockerfile": f"FROM {private}\nLABEL a=b\n"}
        with pytest.raises(ck.BuildFailed):
            mine.images.build(context)
        mine.login(registries.user, registries.password, registry=registries.auth)
        built = mine.images.build(context)
    forget(engine, built)
    if engine.images.exists(private):
        forget(engine, engine.images.get(private))


# ---------------------------------------------------------------- run's own pulls
def test_missing_pulls_once(engine: ck.Engine, shell_image: str, registries: Registries, name: str) -> None:
    """pull="missing" fetches what is not here, and asks no registry for what is."""
    ref = f"{registries.open}/{name}:1"
    engine.images.get(shell_image).tag(ref)
    engine.images.push(ref)
    engine.images.remove(ref)
    assert engine.run(ref, ["echo", "pulled"]).stdout == "pulled\n"
    gone = f"127.0.0.1:9/{name}:1"
    engine.images.get(ref).tag(gone)
    assert engine.run(gone, ["echo", "here"]).stdout == "here\n"
    engine.images.remove(ref)
    engine.images.remove(gone)


def test_never_does_not_ask(engine: ck.Engine, pushed: tuple[str, str]) -> None:
    """pull="never" does not fetch an image that the registry would give."""
    with pytest.raises(ck.ImageNotFound):
        engine.run(pushed[0], pull="never")
    assert not engine.images.exists(pushed[0])


def test_always_fetches_what_is_newer(engine: ck.Engine, shell_image: str, registries: Registries, name: str) -> None:
    """pull="always" runs what the tag means to the registry now; "missing" what it means here."""
    ref = f"{registries.open}/{name}:1"
    built = []
    for number in ("1", "2"):
        lines = f"FROM {shell_image}\nENV NUMBER={number}\n"
        built.append(engine.images.build({"Dockerfile": lines}, tag=ref))
        engine.images.push(ref)
    built[0].tag(ref)
    command = ["sh", "-c", "echo $NUMBER"]
    assert engine.run(ref, command).stdout == "1\n"
    assert engine.run(ref, command, pull="always").stdout == "2\n"
    assert engine.run(ref, command).stdout == "2\n"
    for image in built:
        engine.images.remove(image.id, force=True)


# ---------------------------------------------------------------- a registry that dies
def _beside(engine: ck.Engine) -> None:
    if engine.kind == "docker" and engine.info().rootless:
        pytest.skip("this engine's 127.0.0.1 is in a network of its own, where the test's proxy does not listen")


def test_a_pull_that_is_cut(engine: ck.Engine, registries: Registries, name: str) -> None:
    """A registry that dies in the middle of a layer is PullFailed, and no half image has the name."""
    _beside(engine)
    ref = f"{registries.open}/{name}:1"
    image = make(engine, ref, size=4_000_000)
    engine.images.push(ref)
    forget(engine, image)
    before = {item.id for item in engine.images.list(all=True)}
    with Proxy(registries.open, rule=budget("down", 1_000_000)) as proxy:
        through = f"{proxy.address}/{name}:1"
        with pytest.raises(ck.PullFailed):
            engine.images.pull(through)
        assert proxy.cuts
        assert not engine.images.exists(through)
        proxy.rule = everything
        assert engine.images.pull(through).diff_ids == image.diff_ids
        engine.images.remove(through)
    assert {item.id for item in engine.images.list(all=True)} == before


def test_a_push_that_is_cut(engine: ck.Engine, registries: Registries, name: str) -> None:
    """A registry that dies in the middle of a layer is PushFailed, and the registry has no such image."""
    _beside(engine)
    with Proxy(registries.open, rule=budget("up", 1_000_000)) as proxy:
        ref = f"{proxy.address}/{name}:1"
        image = make(engine, ref, size=4_000_000)
        with pytest.raises(ck.PushFailed):
            engine.images.push(ref)
        assert proxy.cuts
    forget(engine, image)
    with pytest.raises(ck.ImageNotFound):
        engine.images.pull(f"{registries.open}/{name}:1")


# ---------------------------------------------------------------- without a pull
def test_an_image_is_read_without_a_pull(engine: ck.Engine, pushed: tuple[str, str]) -> None:
    """Layers, files and digests are those of the image that was pushed, and the engine has it no more than before."""
    ref, _ = pushed
    image = ck.open_registry(ref)
    assert not engine.images.exists(ref)
    assert image.verify().unchecked == ()
    assert [entry.path for entry in image.files()] == ["/data"]
    assert ck.list_tags(ref) == ("1",)
    pulled = engine.images.pull(ref)
    assert list(pulled.diff_ids) == [layer.diff_id for layer in image]
    assert any(digest.endswith(image.digest) for digest in pulled.digests)
    assert image.compare(engine.layers(ref)).removed == ()


def test_it_is_read_with_the_credentials(engine: ck.Engine, registries: Registries, name: str) -> None:
    """The registry that requires a login refuses without one, and answers with one."""
    ref = f"{registries.auth}/{name}:1"
    image = make(engine, ref)
    engine.images.push(ref, auth=(registries.user, registries.password))
    forget(engine, image)
    with pytest.raises(ck.AuthenticationFailed):
        ck.open_registry(ref, auth=(registries.user, "wrong"))
    assert ck.open_registry(ref, auth=(registries.user, registries.password)).sizes.compressed


def test_what_a_pull_would_move(engine: ck.Engine, registries: Registries, name: str) -> None:
    """With the base pulled, only the layer on top is to be moved; after the pull nothing is."""
    base = ImageBuilder().layer(files={"base": os.urandom(200_000)})
    refs = [f"{registries.open}/{name}:{tag}" for tag in ("base", "app")]
    for ref, made in zip(refs, (base, base.layer(files={"app": os.urandom(50_000)})), strict=True):
        (image,) = engine.images.load(made.tag(ref).to_docker_archive())
        engine.images.push(ref)
        forget(engine, image)
    try:
        assert [one.here for one in engine.images.pull_cost(refs[1]).layers] == [False, False]
        engine.images.pull(refs[0])
        cost = engine.images.pull_cost(refs[1])
        assert [one.here for one in cost.layers] == [True, False]
        assert 50_000 < cost.bytes_to_move < 60_000
        engine.images.pull(refs[1])
        assert engine.images.pull_cost(refs[1]).bytes_to_move == 0
    finally:
        for ref in refs:
            if engine.images.exists(ref):
                engine.images.remove(ref, force=True)
