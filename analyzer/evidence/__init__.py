"""An Analysis -> what rules are asked about: signals, and bounded tables that are made when a rule first names them."""
