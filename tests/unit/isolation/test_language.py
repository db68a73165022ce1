"""Reports in Spanish: the catalogue is complete and compiled, and no English is left in a report."""

from __future__ import annotations

import gettext
import importlib.util
import io
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import containerkit as ck
from containerkit.errors import InvalidOption
from containerkit.isolation import AuditReport, IsolationReport, compare_reports
from containerkit.isolation.audit import judge_containers
from containerkit.isolation.audited import ContainerFacts, DeviceFacts, KernelView, MountFacts
from containerkit.isolation.checks import CATALOGUE, GROUPS
from containerkit.isolation.language import LANGUAGES, read_catalogue, translator
from containerkit.isolation.meanings import MEANINGS

from . import world

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "containerkit/isolation/locale"
#: Words of English that no Spanish sentence has.
ENGLISH = re.compile(r"\b(the|of|is|are|was|and|with|without|its|which|who|has|have|cannot|can|from|that|by|not|to)\b")
#: What stays as it is: options and names of files, whose words are the engines' own.
KEPT = re.compile(
    r"--[a-z-]+|[a-z-]+\.(?:json|conf)|no-new-privileges|[a-z_]+=[a-z:]+|host\.[a-zA-Z.]+|`.*?`|WARNING: .*"
)


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_catalogues", ROOT / "docs/make_catalogues.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_a_catalogue_is_complete_and_compiled(tool: ModuleType, lang: str) -> None:
    """Every text of the source is translated with its own placeholders; the .mo is what the .po gives."""
    folder = FOLDER / lang / "LC_MESSAGES"
    texts = tool.read_po((folder / "isolation.po").read_text("utf-8"))
    assert list(texts) == list(tool.messages()), f"run: {tool.COMMAND}"
    assert [key for key, value in texts.items() if not value] == []
    places = re.compile(r"\{[^{}]*\}")
    assert [key for key, value in texts.items() if set(places.findall(value)) - set(places.findall(key))] == []
    assert (folder / "isolation.mo").read_bytes() == tool.compile_mo(lang, texts), f"run: {tool.COMMAND}"


@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_gettext_reads_it(lang: str) -> None:
    """The standard library's gettext finds the same translations in the same file."""
    data = (FOLDER / lang / "LC_MESSAGES/isolation.mo").read_bytes()
    found = gettext.GNUTranslations(io.BytesIO(data))
    texts = read_catalogue(data)
    assert len(texts) > 500
    assert all(found.gettext(key) == value for key, value in texts.items())
    with pytest.raises(ValueError, match="catalogue"):
        read_catalogue(b"\0" * 40)


def test_every_check_group_and_meaning_is_translated() -> None:
    """No title, heading or meaning stays English."""
    tr = translator("es")
    texts = [*(check.title for check in CATALOGUE), *GROUPS.values(), *MEANINGS.values()]
    assert [text for text in texts if tr(text) == text] == []


def sentences(report: IsolationReport) -> Iterator[tuple[str, str]]:
    tr = translator("es")
    for result in report:
        for text in (result.summary, result.reason, *result.conflicts, getattr(result.remediation, "text", None)):
            if text:
                yield text, tr(text)


def left_english(text: str) -> bool:
    return bool(ENGLISH.search(KEPT.sub("", text)))


REPORTS = {
    **{name: world.report(world.facts(name)) for name in world.ENGINES},
    "no probe": world.report(world.facts("docker-rootful", probe=None, limits=None, containers=None)),
    "no host": world.report(world.facts("podman-rootless", host=None, peer=None, socket=None)),
    "conflict": world.report(world.change(world.facts("docker-rootful"), "peer", uid=1002)),
    "this host": ck.check_host(),
}


@pytest.mark.parametrize("name", REPORTS)
def test_no_english_is_left_in_a_report(name: str) -> None:
    """Each summary, reason, conflict and advice is a sentence of the other language."""
    assert [pair for pair in sentences(REPORTS[name]) if left_english(pair[1])] == []


def audited() -> AuditReport:
    kernel = KernelView(0, ("pid", "net"), 2, ("/proc/sys",), ("/proc/keys",), ("b *:* rwm",), ("/m/x",))
    loose = ContainerFacts(
        "1" * 64, "web", privileged=False, modes={"pid": "host", "network": "host", "ipc": "host", "uts": "host"},
        cap_add=("SYS_ADMIN", "NET_ADMIN", "WAKE_ALARM"), security=("seccomp=unconfined", "apparmor=unconfined"),
        mounts=(
            MountFacts("/etc", "/e", node="folder", users_reach=True), MountFacts("/run/docker.sock", "/s"),
            MountFacts("/sys", "/m", writable=False),
            MountFacts("/srv", "/srv", propagation="rshared", users_reach=True),
        ),
        devices=(DeviceFacts("/dev/sda", "block"), DeviceFacts("/dev/fuse", "char")), device_rules=("c 1:* rwm",),
        open_ports=(0, 80), masked=False, kernel=kernel,
    )  # fmt: skip
    other = ContainerFacts("2" * 64, "db", privileged=True, modes={"userns": "host"})
    facts = world.facts("docker-rootful", containers=(loose, other, ContainerFacts("3" * 64, "x", masked=None)))
    return AuditReport("docker 28", None, judge_containers(facts))


def test_no_english_is_left_in_an_audit() -> None:
    """Findings, what avoids them, and what is not known."""
    report, tr = audited(), translator("es")
    texts = [t for a in report for f in a.findings for t in (f.summary, f.remediation.text if f.remediation else "")]
    texts += [reason for a in report for reason in a.unknown]
    assert len(texts) > 40
    assert [(text, tr(text)) for text in texts if left_english(tr(text))] == []


def test_every_form_has_both_languages() -> None:
    """Text, Markdown, HTML, tables and the comparison; English is what there is without a language."""
    report = REPORTS["docker-rootful"]
    for form in ("to_text", "to_markdown", "to_html", "table", "header", "to_fragment"):
        english, spanish = getattr(report, form)(), str(getattr(report, form)(lang="es"))
        assert str(english) == str(getattr(report, form)(lang="en"))
        assert str(english) != spanish
    assert "el motor se ejecuta como root" in report.to_text(lang="es")
    assert "Remedio" in report.to_html(lang="es")
    for page in (report.to_html(lang="es"), audited().to_html(lang="es"), ck.to_page(report, audited(), lang="es")):
        assert '<html lang="es">' in page
    for form in ("to_text", "to_markdown", "to_html", "table", "to_fragment"):
        assert "Contenedores en ejecución" in str(getattr(audited(), form)(lang="es")) or form == "to_fragment"
    assert "gravedad" in audited().containers[0].to_text(lang="es")
    assert compare_reports(report, lang="es").title == "Aislamiento comparado"
    with pytest.raises(InvalidOption, match="en, es"):
        report.to_text(lang="fr")


def test_a_list_in_a_text_is_translated_part_by_part() -> None:
    """Names and numbers stay; what a check puts into a place is translated too."""
    tr = translator("es")
    text = "a default container can use all of the host's memory, processes, disk"
    assert tr(text) == "un contenedor por omisión puede usar todo lo que el equipo tiene de: memoria, procesos, disco"
    assert tr("lab can be root through group docker; this process has the group") == (
        "lab puede ser root por el grupo docker; este proceso tiene el grupo"
    )
    assert tr("what an engine said itself") == "what an engine said itself"


def test_a_comparison_of_four_engines_fits_a_terminal() -> None:
    """No line is longer than 100 columns, and no word of a status is folded."""
    compared = compare_reports(*(REPORTS[name] for name in world.ENGINES[:4]))
    lines = compared.to_text(width=100).splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) < 1.6 * len(compared.rows)
    assert "root in a container is uid 0" in str(compare_reports(REPORTS["docker-rootful"], detail=True).rows)
