"""Names of signals: the graph's where a value has one, else what it is and a number."""

from __future__ import annotations

from hwnorm.rtl.cells import Cell


class Names:
    """Of one module: every cell once, no two alike."""

    def __init__(self) -> None:
        self._given: dict[Cell, str] = {}
        self._taken: set[str] = set()

    def of(self, cell: Cell) -> str:
        if cell not in self._given:
            base = cell.name or self._described(cell)
            name, count = base, 1
            while name in self._taken:
                count += 1
                name = f"{base}_{count}"
            self._given[cell] = name
            self._taken.add(name)
        return self._given[cell]

    @staticmethod
    def _described(cell: Cell) -> str:
        """``K_times_x``, ``sum_of_K_times_x``: short, from the names of what it is made of."""
        named = [a.name for a in cell.args if a.name]
        return "_".join([cell.kind.value, *named[:2]])
