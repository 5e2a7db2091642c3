//! Records on disk: what survives, what is refused, what hides nothing.
