"""The command line: arguments in, results on stdout, everything else on stderr.

Exit codes: 0 done, 1 the input is wrong, 2 the command line is wrong, 3 a tool is missing, 4 a tool or a check failed,
130 interrupted. An error is one line; a traceback comes only with --debug. An option stands beside the command that
reads it, in the file of its kind; each imports what it needs, so that none waits for another's packages.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hwnorm
from hwnorm.cli import estimating, generating, measuring, simulating
from hwnorm.cli.arguments import OneLineParser, commands_of
from hwnorm.cli.printing import LOG
from hwnorm.errors import HwnormError


def main(arguments: Sequence[str] | None = None) -> int:
    if sys.stdout is None:  # closed by who called us
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    try:
        try:
            options = _parser().parse_args(arguments)
        finally:  # --version and -h have printed
            sys.stdout.flush()
        return _run(options)
    except BrokenPipeError:  # who read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(options: argparse.Namespace) -> int:
    try:
        with _told(options):
            code: int = options.run(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        raise
    except Exception as fault:
        if options.debug:
            raise
        if isinstance(fault, HwnormError):
            return _fail(str(fault), fault.exit_code)
        if isinstance(fault, ValueError | OSError):
            return _fail(str(fault), 1)
        return _fail(f"internal fault, {type(fault).__name__}: {fault} (--debug shows where)", 1)


@contextmanager
def _told(options: argparse.Namespace) -> Iterator[None]:
    """Warnings, unless -q, and with -v what runs, on stderr; modules say it through the logger."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("hwnorm: %(message)s"))
    LOG.setLevel(logging.ERROR if options.quiet else logging.INFO if options.verbose else logging.WARNING)
    LOG.addHandler(handler)
    try:
        yield
    finally:  # a program that calls main again has perhaps another stderr
        LOG.removeHandler(handler)


def _fail(message: str, code: int) -> int:
    print("hwnorm: error:", " ".join(message.split()), file=sys.stderr)
    return code


def _parser() -> OneLineParser:
    parser = OneLineParser(prog="hwnorm", description="What normalization costs in hardware.")
    parser.add_argument("--version", action="version", version=f"hwnorm {hwnorm.__version__}")
    commands = commands_of(parser)
    for kind in (estimating, generating, simulating, measuring):
        kind.add_to(commands)
    return parser
