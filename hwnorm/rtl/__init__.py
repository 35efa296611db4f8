"""Streaming datapaths in Amaranth: a scheduled graph becomes sweeps, scalar stages and replay memories."""
