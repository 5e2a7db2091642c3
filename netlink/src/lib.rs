//! Links, addresses, routes, neighbours and namespaces, one file per kernel object.
