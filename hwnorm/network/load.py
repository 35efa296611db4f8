"""One door for every network: a file, a Python callable, or the name of a network that ships with hwnorm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hwnorm.errors import InputError, did_you_mean
from hwnorm.network.model import Network
from hwnorm.network.yaml_reader import read_about, read_yaml

ZOO = Path(__file__).parent / "zoo"


def load_network(name: str | Path, *, batch: int | None = None, input_shape: tuple[int, ...] | None = None) -> Network:
    """The network that ``name`` means: a path to a ``.yaml``, ``.yml`` or ``.onnx`` file; ``package.module:callable``;
    or a network of the zoo, with or without ``.yaml`` (a file of that name in the current folder comes first).

    ``batch`` takes the place of the batch that the network names. ``input_shape`` is of one sample and for a callable,
    which cannot say it. What cannot be read is an ``InputError`` of one line.
    """
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
        raise ValueError(f"batch must be a positive integer, not {batch!r}")
    text = str(name)
    path = Path(text)
    if path.suffix == ".onnx":
        from hwnorm.network.onnx_reader import read_onnx  # only who reads ONNX needs its packages

        return read_onnx(path, batch)
    if path.suffix not in (".yaml", ".yml") and ":" in text:
        from hwnorm.network.torch_reader import read_torch  # likewise

        return read_torch(text, input_shape, batch)
    network = _read_yaml(text, path)
    return network if batch is None else replace(network, batch=batch)


def _read_yaml(text: str, path: Path) -> Network:
    for candidate in (path, Path(f"{text}.yaml"), Path(f"{text}.yml")):
        if candidate.suffix in (".yaml", ".yml") and _exists(candidate):
            return read_yaml(candidate, find=find_in_zoo)
    shipped = find_in_zoo(text)
    if shipped is not None:
        return read_yaml(shipped, f"zoo:{shipped.stem}", find_in_zoo)
    if text and _exists(path):  # an empty path is the current folder
        raise InputError(f"{text[:200]!r} is no network: a file must end in .yaml, .yml or .onnx")
    raise InputError(
        f"no file and no network {text[:60]!r}; {did_you_mean(path.name[:60].removesuffix('.yaml'), zoo_names())} "
        "(`hwnorm list networks` has them all)"
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def find_in_zoo(name: str) -> Path | None:
    """The file of a network that ships with hwnorm, with or without its ``.yaml``; None where there is none."""
    stem = name.removesuffix(".yaml")
    return ZOO / f"{stem}.yaml" if stem in zoo_names() else None


def zoo_names() -> list[str]:
    """The names of the networks that ship with hwnorm, sorted."""
    return sorted(path.stem for path in ZOO.glob("*.yaml"))


def zoo_about() -> dict[str, str]:
    """Each of them with the one line that it says of itself."""
    return {name: read_about(ZOO / f"{name}.yaml") for name in zoo_names()}
