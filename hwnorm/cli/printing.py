"""Results to stdout or a file; what is under way to stderr, where somebody is watching."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any

from hwnorm.files import write_whole
from hwnorm.report.table import Table, encodable, to_json

LOG = logging.getLogger("hwnorm")


def emit(options: argparse.Namespace, text: str) -> None:
    if sys.stderr.isatty() and not options.quiet:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # in the place of what was under way
    if options.output is None:
        say(text)
    else:
        write_whole(options.output, (text + "\n").encode(errors="backslashreplace"))


def say(result: object) -> None:
    """On stdout, whatever its encoding."""
    print(encodable(str(result), sys.stdout.encoding))


def command_line() -> str:
    """What was typed, for the files that tell how they were made."""
    return encodable(shlex.join(["hwnorm", *sys.argv[1:]]), None)


def emit_results(options: argparse.Namespace, results: Sequence[dict[str, Any]], tables: Sequence[Table]) -> None:
    """One design's JSON, or several together; of the tables CSV has the first."""
    match options.format:
        case "json":
            emit(options, to_json(results[0] if len(results) == 1 else {"results": list(results)}))
        case "csv":
            emit(options, tables[0].render("csv"))
        case form:
            emit(options, "\n\n".join(table.render(form) for table in tables))


def steps(options: argparse.Namespace, title: str) -> Callable[[int, int, str], None]:
    """A line on stderr of the steps that are done, where somebody is watching."""
    watched = sys.stderr.isatty() and not options.quiet

    def told(done: int, total: int, what: str) -> None:
        if watched:
            line = f"\r{title}: {done} of {total}, {what}"
            print(f"{line:<70}", end="\n" if done >= total else "", file=sys.stderr, flush=True)

    return told


def line(options: argparse.Namespace) -> Callable[[str], None]:
    """A line on stderr that says what runs, where somebody is watching; the log has it in any case."""
    watched = sys.stderr.isatty() and not options.quiet

    def told(what: str) -> None:
        if watched:
            print(f"\r{what:<100}", end="", file=sys.stderr, flush=True)
        LOG.info("%s", what)

    return told


def progress(options: argparse.Namespace) -> Callable[[int], None]:
    """A line on stderr that counts up, where somebody is watching."""
    watched = sys.stderr.isatty() and not options.quiet
    total = options.elements_total

    def told(done: int) -> None:
        if watched:
            print(f"\r{done:,} of {total:,} elements", end="\n" if done >= total else "", file=sys.stderr)

    return told
