"""Networks from YAML files: the run through a file's steps that finds every shape and every normalization.

The page that explains the format to its users is docs/networks.md. A run visits each step as often as data would pass
it, so that its time is linear in the network; steps are parsed once, wherever they are repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from hwnorm.errors import InputError
from hwnorm.network.expressions import BadExpression, Number
from hwnorm.network.joins import JOINS
from hwnorm.network.model import Layer, Network
from hwnorm.network.operators import OPERATORS, Option, Result, Want
from hwnorm.network.sections import Finder, Sections, read_sections
from hwnorm.network.shapes import DoesNotFit, Shape, bounded
from hwnorm.network.steps import CHANNELS, Grammar, Signature, Step
from hwnorm.network.yaml_nodes import Scalar, fault, read_nodes

MAX_STEPS = 200_000  # run in all: far above any network, and some two seconds
MAX_DEPTH = 60  # of blocks, joins and lists in each other, when run
MAX_BLOCKS = 16  # of them, blocks: each makes the names of its layers longer


def read_yaml(path: Path, source: str | None = None, find: Finder = lambda name: None) -> Network:
    """The network in the file at ``path``; it has the file's name. ``source`` is what a network that is shipped says of
    where it comes from, ``find`` where a file stands that is extended and not beside this one."""
    file = str(path) if source is None else path.name
    return _Run(read_sections(path, file, find)).network(path.stem, file if source is None else source)


def read_about(path: Path) -> str:
    """The one line that the file at ``path`` says of itself; empty where it says nothing."""
    about = read_nodes(path, path.name).entries.get("about")
    return about.text if isinstance(about, Scalar) else ""


@dataclass(slots=True)
class _Scope:
    """Where a step stands: the variables it sees and the name that its layers begin with."""

    variables: dict[str, Number]
    prefix: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    blocks: tuple[str, ...] = ()  # that it stands in, the outermost first

    def label(self, word: str) -> str:
        """A name that is unique in the network: ``stage2.basic5.batch_norm1``."""
        self.counts[word] = self.counts.get(word, 0) + 1
        return f"{self.prefix}{word}{self.counts[word]}"


class _Run:
    """One pass through a network. Parsing comes first, so that a word that nobody knows is found in any block."""

    def __init__(self, sections: Sections) -> None:
        self.layers: list[Layer] = []
        self.parameters = 0
        self.macs = 0
        self.steps = 0
        self.depth = 0

        for key in ("input", "batch", "layers"):
            if key not in sections.single:
                raise fault(sections.root, f"key '{key}' is missing; a network has 'input', 'batch' and 'layers'")
        grammar = Grammar({name: signature for name, (signature, _) in sections.blocks.items()})
        self.variables: dict[str, Number] = {}
        for name, node in sections.let.items():
            argument = grammar.argument(node, name, Option(Want.NUMBER), self.variables)
            self.variables[name] = argument.value(self.variables)
        known = {*self.variables, CHANNELS}
        self.blocks: dict[str, tuple[Signature, tuple[Step, ...]]] = {}
        for name, (signature, node) in sections.blocks.items():
            grammar.check_parameters(signature, known)
            body = grammar.steps(node, name, known | set(signature.parameters))
            self.blocks[name] = (signature, body)
        self.body = grammar.steps(sections.single["layers"], "layers", known)
        self.input = grammar.argument(sections.single["input"], "input", Option(Want.COUNTS), self.variables)
        self.batch = grammar.argument(sections.single["batch"], "batch", Option(Want.COUNT), self.variables)
        for name, node in sections.own.items():
            if name not in grammar.used:
                near = get_close_matches(name, {*sections.let, *sections.blocks} - {name}, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "remove it"
                raise fault(node, f"nothing uses {name!r}; {hint}")

    def network(self, name: str, source: str) -> Network:
        shape: Shape = self.input.value(self.variables)
        try:
            bounded(shape)
        except DoesNotFit as error:
            raise fault(self.input.node, f"'input': {error}") from None
        self._run(self.body, shape, _Scope(dict(self.variables)))
        batch: int = self.batch.value(self.variables)
        return Network(name, source, shape, batch, tuple(self.layers), self.parameters, self.macs)

    def _run(self, steps: tuple[Step, ...], shape: Shape, scope: _Scope) -> Shape:
        self.depth += 1
        for step in steps:
            if self.depth > MAX_DEPTH:
                raise _fault(step, f"more than {MAX_DEPTH} blocks and lists within each other")
            shape = self._step(step, shape, scope)
        self.depth -= 1
        return shape

    def _step(self, step: Step, shape: Shape, scope: _Scope) -> Shape:
        """A step with its ``when`` and its ``times``; one that is passed by counts as one that is done."""
        times: int = 1
        if step.when is not None or step.times is not None:
            scope.variables[CHANNELS] = shape[0]
            if step.when is not None and not step.when.value(scope.variables):
                times = 0
            elif step.times is not None:
                times = step.times.value(scope.variables)
        self.steps += max(times, 1)
        if self.steps > MAX_STEPS:
            raise _fault(step, f"more than {MAX_STEPS} steps in all, with every 'times' carried out")
        for _ in range(times):
            shape = self._once(step, shape, scope)
        return shape

    def _once(self, step: Step, shape: Shape, scope: _Scope) -> Shape:
        word = step.word
        if word in self.blocks:
            return self._block(step, shape, scope)
        if word == "do":
            return self._run(step.branches[0], shape, scope)
        try:
            if word in JOINS:
                shapes = [self._run(branch, shape, scope) for branch in step.branches]
                return self._add_up(JOINS[word](shapes), step, scope)
            operator = OPERATORS[word]
            options = {key: option.default for key, option in operator.options.items()}
            if step.arguments:
                scope.variables[CHANNELS] = shape[0]
                for key, argument in step.arguments.items():
                    options[key] = argument.value(scope.variables)
            return self._add_up(operator.apply(shape, **options), step, scope)
        except DoesNotFit as error:
            raise _fault(step, str(error)) from None

    def _add_up(self, result: Result, step: Step, scope: _Scope) -> Shape:
        """Counts what a step has, and passes its output on."""
        self.parameters += result.parameters
        self.macs += result.macs
        if result.layer is not None:
            self.layers.append(replace(result.layer, name=scope.label(step.word)))
        return result.shape

    def _block(self, step: Step, shape: Shape, scope: _Scope) -> Shape:
        """The steps of a block, which see its parameters and the numbers of ``let``, and nothing of its user."""
        name = step.word
        if name in scope.blocks:
            chain = " > ".join((*scope.blocks[scope.blocks.index(name) :], name))
            raise _fault(step, f"a block cannot use itself: {chain}")
        if len(scope.blocks) >= MAX_BLOCKS:
            raise _fault(step, f"more than {MAX_BLOCKS} blocks within each other")
        signature, body = self.blocks[name]
        variables = dict(self.variables)
        scope.variables[CHANNELS] = variables[CHANNELS] = shape[0]
        for parameter, default in signature.parameters.items():
            argument = step.arguments.get(parameter)
            try:
                if argument is not None:
                    variables[parameter] = argument.value(scope.variables)
                elif default is not None:
                    variables[parameter] = default.value(variables)
            except BadExpression as error:
                raise _fault(step, f"the default of {parameter!r}: {error}") from None
        inner = _Scope(variables, f"{scope.label(name)}.", {}, (*scope.blocks, name))
        try:
            return self._run(body, shape, inner)
        except InputError as error:
            if len(scope.blocks) > 2:  # the line would have no end; the outermost three lead there
                raise
            place = f"{Path(step.node.file).name}:{step.node.line}"
            raise InputError(f"{error} (in {name!r}, used at {place})") from None


def _fault(step: Step, message: str) -> InputError:
    return fault(step.node, f"{step.word}: {message}")
