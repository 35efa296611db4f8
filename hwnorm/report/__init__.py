"""Results as people and programs read them: tables, figures, the papers' results reproduced."""
