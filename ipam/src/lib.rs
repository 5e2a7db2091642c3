//! Address ranges, the allocator and host-local's store on disk.
