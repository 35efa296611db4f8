"""hwnorm: what normalization costs in hardware, and the hardware itself."""

__version__ = "0.1.0"
