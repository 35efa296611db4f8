from pyosys import libyosys as ys
d=ys.Design()
ys.run_pass("read_verilog -sv t.v",d)
ys.run_pass("synth_ecp5 -top top -json t.json",d)
ys.run_pass("tee -o s.json stat -json",d)
