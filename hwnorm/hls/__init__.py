"""The same typed, scheduled graphs as C++ for HLS tools: one function a stage, every width from the graph."""
