"""Three folds over a graph: its real value, its integer value, and what it costs."""
