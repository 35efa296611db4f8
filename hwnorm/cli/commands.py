"""The commands together: parses a command line, runs what it names, and says in one line what went wrong."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import hwnorm
from hwnorm.cli import estimating, generating, measuring, simulating
from hwnorm.cli.arguments import OneLineParser, commands_of
from hwnorm.cli.printing import LOG
from hwnorm.errors import HwnormError


def run(arguments: Sequence[str] | None) -> int:
    """The exit code."""
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
        with _told(options), _ended_as_interrupted():
            code: int = options.run(options)
        sys.stdout.flush()
        return code
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
def _ended_as_interrupted() -> Iterator[None]:
    """SIGTERM does what Ctrl-C does: tools that run are ended, and nothing half-done stays."""
    try:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:  # called by a program, in one of its threads
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)  # None: one that is not Python's


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
