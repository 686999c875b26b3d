"""The scenarios: one small function each, named like its sample, with what there is to see as its docstring."""
