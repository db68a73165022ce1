"""Who is root here, what is shared, which limits hold: one report for each engine, then all of them side by side.

    python examples/isolation_report.py [TARGET …] [--markdown FILE] [--host]

Without a target: every engine that answers on this machine. --markdown writes the reports for a hand-in; --host asks
first whether this account could run rootless engines here. Two short containers an engine, removed again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import containerkit as ck
from containerkit.isolation import statements


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="a URL, or the name of a context or connection")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--host", action="store_true")
    given = parser.parse_args()

    if given.host:
        say(ck.check_host().to_text())

    targets = given.targets or [endpoint.url for endpoint in ck.discover() if endpoint.reachable]
    reports = []
    for target in dict.fromkeys(targets):
        with ck.connect(target) as engine:
            report = engine.check()
        reports.append(report)
        say(report.to_text())

        # Every verdict can be traced to what was seen, and by whom.
        root = report.get("container-root-uid")
        say("How is it known who is root?")
        for evidence in root.evidence:
            say(f"  {evidence}")

        say("\nWhat is said of containers, and what holds for this engine:")
        for statement in statements(report):
            say(f"  {statement.answer:8} {statement.text}")
        say("")

    if len(reports) > 1:
        say(ck.compare_reports(*reports).to_text())
    if given.markdown:
        given.markdown.write_text("\n".join(report.to_markdown() for report in reports))
        say(f"written to {given.markdown}")
    if not reports:
        say("no engine answers here; name one, or start one")


if __name__ == "__main__":
    main()
