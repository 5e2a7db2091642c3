//! Each check on a scene that has what it looks for, and on one that has not.
