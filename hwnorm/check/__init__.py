"""A generated folder against the bit-true reference: bench, vectors, random groups, bulk, planted faults."""
