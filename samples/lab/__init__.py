"""A laboratory of network namespaces: scenarios go in, bundles of real traffic with known facts come out."""
