"""Templates of generated files: they stand at the top level of the project, and ship inside the package."""
