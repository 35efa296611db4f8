"""The cocotb bench of every generated design. It needs cocotb alone, and reads manifest and vectors alone."""
