"""Commands for isolation: check an engine, check this host, compare engines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .app import Settings, check_failed, engine_option, open_engine, say_error
from .output import form_options, show, table, working

if TYPE_CHECKING:
    from containerkit import AuditReport, Baseline, IsolationReport

__all__ = ["COMMANDS"]

F = TypeVar("F", bound=Callable[..., Any])

_SEVERITIES = ("low", "medium", "high", "critical")
_COULD_NOT = 2
_FILE = click.Path(dir_okay=False)


def _threshold(command: F) -> F:
    """Add --fail-on and --min-severity: which results set exit code 1."""
    fail_on = click.option(
        "--fail-on", type=click.Choice(["fail", "warn", "unknown", "never"]), default="fail", show_default=True,
        help="The status from which on the exit code is 1; unknown: also for what could not be found out.",
    )  # fmt: skip
    severity = click.option(
        "--min-severity", type=click.Choice(_SEVERITIES), default="low", show_default=True,
        help="Only results of this severity and above count for it.",
    )  # fmt: skip
    return fail_on(severity(command))


_LANG = click.option(
    "--lang", type=click.Choice(["en", "es"]), default="en", show_default=True, help="The language of the report."
)


def _for_machines(command: F) -> F:
    """Add --lang, --html, --baseline, --sarif and --junit."""
    for option in (
        _LANG,
        click.option("--html", type=_FILE, metavar="FILE", help="Also write a page for the browser, which explains."),
        click.option("--junit", type=_FILE, metavar="FILE", help="Also write JUnit XML."),
        click.option("--sarif", type=_FILE, metavar="FILE", help="Also write SARIF 2.1.0."),
        click.option(
            "--baseline", type=_FILE, metavar="FILE",
            help="Known findings, which do not count for the exit code: JSON with id, reason, expires, container.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def _write(
    reports: Sequence[IsolationReport | AuditReport],
    *,
    html: str | None,
    sarif: str | None,
    junit: str | None,
    lang: str,
) -> None:
    import containerkit as ck

    if html is not None:
        Path(html).write_text(ck.to_page(*reports, lang=lang), "utf-8")
    if sarif is not None:
        Path(sarif).write_text(json.dumps(ck.to_sarif(*reports), indent=2) + "\n", "utf-8")
    if junit is not None:
        Path(junit).write_text(ck.to_junit(*reports), "utf-8")


def _baseline(path: str | None) -> Baseline:
    import containerkit as ck

    found = ck.load_baseline(path) if path is not None else ck.Baseline()
    for known in found.expired():
        say_error(f"baseline: {known.id} was accepted until {known.expires}: {known.reason}")
    return found


@click.command(short_help="Check the isolation of an engine.")
@click.option("--all", "-a", "everywhere", is_flag=True, help="Every engine that answers here.")
@click.option("--only", metavar="ID", multiple=True, help="Only this check; several times for several.")
@click.option("--skip", metavar="ID", multiple=True, help="Not this check; several times for several.")
@click.option("--no-probe", is_flag=True, help="Start no container; what needs one is unknown.")
@_for_machines
@_threshold
@engine_option
@form_options
@click.pass_context
def check(
    ctx: click.Context,
    everywhere: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    no_probe: bool,
    baseline: str | None,
    html: str | None,
    sarif: str | None,
    junit: str | None,
    lang: str,
    fail_on: str,
    min_severity: str,
    form: str,
) -> None:
    """Check an engine: is it rootless, who is root in its containers, which limits are enforced.

    Exit code: 0 no result at or above the threshold; 1 at least one; 2 no container could be examined (as with
    --no-probe), so that checks which need one are unknown, or the engine does not answer.
    """
    if everywhere and ctx.ensure_object(Settings).engine is not None:
        raise click.BadOptionUsage("--all", "--all and --engine: one of them")
    known = _baseline(baseline)
    skipped = {"skip": skip} if skip else {}
    reports, complete = _reports(ctx, everywhere=everywhere, only=only or None, probe=not no_probe, **skipped)
    _show(reports, form, lang, many=everywhere)
    _write(reports, html=html, sarif=sarif, junit=junit, lang=lang)
    ctx.exit(_exit_code(reports, fail_on, min_severity, known) if complete else _COULD_NOT)


@click.command("check-host", short_help="Check whether rootless engines can run here.")
@click.option("--user", metavar="NAME", help="Check for this account. Without it: for the one that runs the command.")
@click.option(
    "--fix-script", is_flag=True, help="Print the commands that would mend what is missing; run none of them."
)
@click.option("--html", type=_FILE, metavar="FILE", help="Also write a page for the browser, which explains.")
@_LANG
@_threshold
@form_options
@click.pass_context
def check_host(
    ctx: click.Context,
    user: str | None,
    fix_script: bool,
    html: str | None,
    lang: str,
    fail_on: str,
    min_severity: str,
    form: str,
) -> None:
    """Check whether an account could run rootless engines on this host. Needs no engine. Exit codes as in `check`."""
    import containerkit as ck

    try:
        report = ck.check_host(user)
    except ck.InvalidOption as exc:
        raise click.UsageError(str(exc)) from None
    if fix_script:
        click.echo(report.to_script())
    else:
        _show([report], form, lang, many=False)
    _write([report], html=html, sarif=None, junit=None, lang=lang)
    ctx.exit(_exit_code([report], fail_on, min_severity, _baseline(None)))


@click.command(short_help="Compare the isolation of engines.")
@click.option("--no-probe", is_flag=True, help="Start no container; what needs one is unknown.")
@click.option("--detail", is_flag=True, help="Also show what was found, not the status alone.")
@_LANG
@form_options
@click.argument("targets", nargs=-1)
@click.pass_context
def compare(ctx: click.Context, targets: tuple[str, ...], no_probe: bool, detail: bool, lang: str, form: str) -> None:
    """Compare engines side by side: TARGETS, or every engine that answers here."""
    import containerkit as ck

    reports, complete = _reports(ctx, everywhere=not targets, targets=targets, probe=not no_probe)
    if reports:
        compared = ck.compare_reports(*reports, detail=detail, lang=lang)
        show(compared, form, tables=[compared])
    ctx.exit(0 if complete else _COULD_NOT)


@click.command(short_help="Audit running containers.")
@click.argument("containers", nargs=-1)
@click.option(
    "--fail-on", type=click.Choice([*_SEVERITIES, "never"]), default="critical", show_default=True,
    help="The severity from which on the exit code is 1.",
)  # fmt: skip
@_for_machines
@engine_option
@form_options
@click.pass_context
def audit(
    ctx: click.Context,
    containers: tuple[str, ...],
    fail_on: str,
    baseline: str | None,
    html: str | None,
    sarif: str | None,
    junit: str | None,
    lang: str,
    form: str,
) -> None:
    """Audit running CONTAINERS, or all that run: each finding, its severity, how to avoid it. Starts nothing.

    Exit code: 0 no finding at or above the threshold; 1 at least one; 2 a container could not be inspected.
    """
    known = _baseline(baseline)
    with open_engine() as engine:
        report = engine.audit(*containers)
    show(report, form, tables=[report.table(lang=lang)])
    counted = _SEVERITIES[_SEVERITIES.index(fail_on) :] if fail_on != "never" else ()
    _write([report], html=html, sarif=sarif, junit=junit, lang=lang)
    found = any(
        str(finding.severity) in counted and not known.covers(finding.id, each.name)
        for each in report
        for finding in each.findings
    )
    ctx.exit(1 if found else _COULD_NOT if any(each.problem for each in report) else 0)


def _reports(
    ctx: click.Context, *, everywhere: bool, targets: Sequence[str] = (), **options: Any
) -> tuple[list[IsolationReport], bool]:
    """Return the report of each engine, and whether all could be made; failures are printed on stderr."""
    import containerkit as ck

    reports: list[IsolationReport] = []
    wanted: Sequence[Any] = targets
    if everywhere:
        wanted = [endpoint for endpoint in ck.discover() if endpoint.reachable]
        if not wanted:
            ctx.invoke(_nothing_answers)
            return [], False
    settings = ctx.ensure_object(Settings)
    complete = True
    for target in wanted or [settings.engine]:
        name = getattr(target, "url", target) or "the engine"
        try:
            with working(f"checking {name}"), ck.connect(target, timeout=settings.timeout) as engine:
                reports.append(engine.check(**options))
        except ck.ContainerKitError as exc:
            check_failed(exc)
            complete = False
    return reports, complete


def _nothing_answers() -> None:
    import containerkit as ck

    try:
        ck.connect().close()  # its error lists every address, and why each failed
    except ck.ContainerKitError as exc:
        check_failed(exc)


def _show(reports: Sequence[IsolationReport], form: str, lang: str, *, many: bool) -> None:
    if form == "markdown":
        click.echo("\n".join(report.to_markdown(lang=lang) for report in reports), nl=False)
    elif form == "json" and not many:
        for report in reports:
            show(report, form)
    else:
        show(list(reports), form, tables=[each for report in reports for each in _tables(report, lang)])


def _tables(report: IsolationReport, lang: str) -> tuple[Any, ...]:
    """Return the results, with the header of the report below them: date, machine, user, versions, counts."""
    return report.table(lang=lang), table("", (), (), report.header(lang=lang))


def _exit_code(reports: Sequence[IsolationReport], fail_on: str, min_severity: str, known: Baseline) -> int:
    """Return 1 for a result at or above the threshold; 2 if checks lack a probe, or none could be answered."""
    statuses = {"fail": ("fail",), "warn": ("fail", "warn"), "unknown": ("fail", "warn", "unknown"), "never": ()}[
        fail_on
    ]
    counted = _SEVERITIES[_SEVERITIES.index(min_severity) :]
    results = [result for report in reports for result in report]
    new = [result for result in results if not known.covers(result.id)]
    if any(str(result.status) in statuses and str(result.severity) in counted for result in new):
        return 1
    if any(report.gates.get("probe") for report in reports):
        return _COULD_NOT
    return _COULD_NOT if all(str(result.status) == "unknown" for result in results) else 0


COMMANDS = (check, check_host, compare, audit)
