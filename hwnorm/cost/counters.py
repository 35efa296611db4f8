"""What other op counters would charge the same layers: their formulas, as data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import yaml

from hwnorm.network.model import Network


@dataclass(frozen=True, slots=True)
class Counter:
    name: str
    per_element: int
    per_channel: int = 0  # per channel and sample
    note: str = ""

    def charge(self, network: Network, batch: int) -> int:
        """Operations for all normalization layers, each taken as a batch norm."""
        return batch * sum(
            self.per_element * layer.elements_per_sample + self.per_channel * layer.channels for layer in network.layers
        )


def counters() -> list[Counter]:
    text = (files("hwnorm.cost") / "counters.yaml").read_text(encoding="utf-8")
    return [Counter(**entry) for entry in yaml.safe_load(text)["counters"]]
