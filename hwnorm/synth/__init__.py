"""Verilog text in, figures out: yosys, nextpnr, a packing pass. Knows nothing of normalizations."""
