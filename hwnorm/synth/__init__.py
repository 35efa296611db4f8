"""Verilog text in, figures out: yosys, nextpnr, a packing pass, a cache. Knows nothing of normalizations."""
