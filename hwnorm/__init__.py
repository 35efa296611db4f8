"""hwnorm: what normalization costs in hardware, and the hardware itself.

Names are loaded when they are first used, so that a program pays for what it asks for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwnorm.cost.estimate import estimate as estimate
    from hwnorm.engine import Engine as Engine
    from hwnorm.network.load import load_network as load_network
    from hwnorm.norms.sampling import sample as sample

__version__ = "0.1.0"

_HOMES = {
    "Engine": "hwnorm.engine",
    "estimate": "hwnorm.cost.estimate",
    "load_network": "hwnorm.network.load",
    "sample": "hwnorm.norms.sampling",
}

__all__ = ["Engine", "__version__", "estimate", "load_network", "sample"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hwnorm' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
