"""What an argument may be, and the parser that says what is wrong with one."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hwnorm.errors import did_you_mean
from hwnorm.report.table import FORMATS


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line, as every other error."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """An option that a command does not know is told by that command, not by what called it."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unknown argument {unknown[0]!r}: {did_you_mean(unknown[0], self._option_string_actions)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"hwnorm: error: {' '.join(message.split())} ({self.prog} -h shows the options)\n")


@dataclass(frozen=True)
class Commands:
    """Where a command is added, and the options that it may share with others."""

    subparsers: Any
    common: OneLineParser
    printing: OneLineParser

    def add(self, name: str, shared: OneLineParser, about: str) -> OneLineParser:
        found: OneLineParser = self.subparsers.add_parser(name, parents=[shared], help=about)
        return found


def commands_of(parser: OneLineParser) -> Commands:
    common = OneLineParser(add_help=False)
    common.add_argument("-v", "--verbose", action="store_true", help="tell what runs")
    common.add_argument("-q", "--quiet", action="store_true", help="print results alone, no warnings")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    printing = OneLineParser(add_help=False, parents=[common])
    printing.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    printing.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to FILE instead of printing")
    return Commands(parser.add_subparsers(required=True, metavar="COMMAND"), common, printing)


def count(text: str) -> int:
    """A positive whole number, also as 1e8."""
    try:
        number = float(text)
        if number >= 1 and number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"must be a positive whole number such as 1e8, not {text!r}")


def whole(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, not {text!r}")
    return int(text)


def positive(text: str) -> int:
    return whole(text, 1)


def above_zero(text: str) -> float:
    try:
        if 0 < float(text) < float("inf"):
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")


def shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(size) for size in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise argparse.ArgumentTypeError(f"must be sizes such as 3,224,224, not {text!r}")
    return shape
