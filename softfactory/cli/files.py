"""``./files files ...``: keeping files in order."""

import json
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta

import click

from softfactory.cli.group import PlainGroup
from softfactory.cli.verify_report import VerifyReport
from softfactory.errors import StorageError
from softfactory.http.runtime import runtime
from softfactory.http.services import maintenance, reconciliation, verification
from softfactory.services.reconcile import ReconcileReport

commands = PlainGroup("files", help="Keep files in order.")

LABELS = {
    "expired_files": "expired files",
    "abandoned_uploads": "abandoned uploads",
    "orphan_parts": "orphaned parts",
    "noncurrent_versions": "noncurrent versions",
    "spent_codes": "spent codes",
    "dead_sessions": "dead sessions",
    "unconfirmed_accounts": "unconfirmed accounts",
    "deleted_accounts": "deleted accounts' objects",
}


@commands.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object of counts.")
def cleanup(*, dry_run: bool, as_json: bool) -> None:
    """Remove expired files, abandoned uploads, and what accounts and logins left behind.

    Exits with 1 where storage failed for something, which is passed over and named.
    Safe beside live traffic, on several machines at once, and to interrupt.
    """
    keeper = maintenance()
    # The bar goes to standard error, so that standard output is the report alone.
    with click.progressbar(length=keeper.count(), label="Cleaning up", file=sys.stderr) as bar:
        report = asdict(keeper.cleanup(dry_run=dry_run, progress=bar.update))
    if as_json:
        click.echo(json.dumps(report))
    else:
        verb = "Would remove" if dry_run else "Removed"
        for name, label in LABELS.items():
            click.echo(f"{verb} {report[name]} {label}.")
        for name in report["skipped"]:
            click.echo(f"Storage failed for {_printable(name)}; the log says how.")
    if report["skipped"]:
        raise SystemExit(1)


@commands.command()
@click.option("--fix", is_flag=True, help="Put in order what can be.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object of lists of keys.")
def reconcile(*, fix: bool, as_json: bool) -> None:
    """Compare database and storage; exit with 1 where differences remain.

    Safe beside live traffic, on several machines at once, and to interrupt.
    """
    comparison = reconciliation()
    try:
        with click.progressbar(
            length=comparison.count(), label="Comparing", file=sys.stderr
        ) as bar:
            report = comparison.run(fix=fix, progress=bar.update)
    except StorageError as error:
        raise click.ClickException(f"{error.message} Then run this command again.") from error
    click.echo(json.dumps(report.as_dict()) if as_json else _table(report))
    if not report.is_in_order:
        raise SystemExit(1)


@commands.command()
@click.option("--since", type=click.IntRange(min=0), metavar="DAYS", help="Only what is as new.")
@click.option("--after", default="", metavar="KEY", help="Go on behind the key of an earlier run.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=50,
    show_default=True,
    metavar="MIB",
    help="MiB read a second at most; 0 for no limit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(*, since: int | None, after: str, rate: float, as_json: bool) -> None:
    """Read all bytes back against their hash, old versions too; exit with 1 where damage is.

    Changes nothing. Safe beside live traffic. Stopped, it says where to go on. S3 keeps bytes by
    checksums of its own: there, sizes and ETags are compared.
    """
    report = VerifyReport(after=after)
    newer_than = runtime().clock() - timedelta(days=since) if since is not None else None
    found = verification(rate=rate * 1024 * 1024 or None).run(since=newer_than, after=after)
    stopped: str | None = None
    bar = click.progressbar(found, label="Verifying", file=sys.stderr, show_pos=True)
    with _stopped_by_sigterm(), bar:
        try:
            for checked in bar:
                report.add(checked)
            report.finish()
        except KeyboardInterrupt:
            stopped = "Stopped."
        except StorageError as error:
            stopped = error.message
    click.echo(json.dumps(report.as_dict()) if as_json else _verified(report))
    if stopped:
        click.echo(f"{stopped} To go on: --after {shlex.quote(report.after)}", err=True)
    if stopped or not report.is_sound:
        raise SystemExit(1)


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM, by which timers and containers stop a command, do what Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _verified(report: VerifyReport) -> str:
    """Return the report for people: a line a damaged version, and a sentence at the end."""
    lines = [
        f"{each['reason']:<15}{_printable(each['key'])} (version {each['version_id']})"
        for each in report.damaged + report.unreadable
    ]
    summary = f"Verified {report.verified} versions, {report.bytes} bytes: "
    summary += f"{len(report.damaged)} are damaged, storage failed for {len(report.unreadable)}."
    if report.not_compared:
        summary += f" Of {report.not_compared} only the size is known."
    return "\n".join([*lines, summary])


def _table(report: ReconcileReport) -> str:
    """Return the report for people: a line a difference, and a sentence at the end."""
    found = [
        *(("object without row", key) for key in report.objects_without_row),
        *(("row without object", key) for key in report.rows_without_object),
        *(("size differs", key) for key in report.size_mismatches),
        *(("total differs", username) for username in report.wrong_totals),
    ]
    unreadable = [("storage fails", key) for key in report.unreadable]
    lines = [f"{kind:<20}{_printable(key)}" for kind, key in [*found, *unreadable]]
    return "\n".join([*lines, f"Found {len(found)} differences, put {report.fixed} in order."])


def _printable(key: str) -> str:
    """Return a key that others wrote, without what would move the terminal's cursor."""
    return key if key.isprintable() else repr(key)
