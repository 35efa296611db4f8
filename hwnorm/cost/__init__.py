"""From counts to cost: devices as data with provenance, the time of a streaming engine, estimates of whole networks."""
