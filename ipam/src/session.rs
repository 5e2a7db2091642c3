//! A store held by its lock, with an index that is right: what every verb works through.

use std::fs::{DirBuilder, File};
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::disk;
use crate::disk::fault;
use crate::error::Error;
use crate::index::{Index, Mark, Unusable};
use crate::lease::Holder;
use crate::lock::Lock;
use crate::store::Store;

/// Lasts until dropped; only [`Session::finish`] leaves an index behind that the next one
/// can use.
pub(crate) struct Session<'a> {
    store: &'a Store,
    directory: File,
    /// As the directory was found or last marked, to tell later whether its stamps can be
    /// relied on. `None` when they cannot.
    mark: Option<Mark>,
    index: Option<Index>,
    fresh: bool,
    change: Change,
    _lock: Lock,
}

/// What this session did to the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// Nothing.
    No,
    /// A call failed that may have changed it half way.
    Perhaps,
    /// A file was made, replaced or removed.
    Yes,
}

impl<'a> Session<'a> {
    /// Waits for the lock. `None` when the store does not exist.
    pub fn open(store: &'a Store) -> Result<Option<Self>, Error> {
        let Some(lock) = Lock::acquire(store.directory())? else {
            return Ok(None);
        };
        let directory = File::open(store.directory())
            .map_err(|source| Error::io("open", store.directory(), source))?;
        let mark = Mark::of(&directory);
        let index = mark
            .as_ref()
            .and_then(|mark| Index::load(&index_file(store), mark));
        Ok(Some(Self {
            store,
            directory,
            mark,
            index,
            fresh: false,
            change: Change::No,
            _lock: lock,
        }))
    }

    /// Waits for the lock, making the store if needed.
    pub fn open_or_create(store: &'a Store) -> Result<Self, Error> {
        loop {
            if let Some(session) = Self::open(store)? {
                return Ok(session);
            }
            disk::make_directory(store.directory())?;
        }
    }

    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// Whether the index was built from the lease files in this session.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Builds the index from the lease files.
    pub fn rebuild(&mut self) -> Result<(), Error> {
        // A directory that was changed just now could not be told from one that was
        // changed again within the same tick; with the mark on it, it can.
        self.renew_mark();
        let leases = self.store.scan()?;
        self.index = Index::build(&leases).ok();
        self.fresh = true;
        Ok(())
    }

    fn ask<T>(&mut self, question: impl Fn(&mut Index) -> Result<T, Unusable>) -> Result<T, Error> {
        if let Some(Ok(answer)) = self.index.as_mut().map(&question) {
            return Ok(answer);
        }
        self.rebuild()?;
        let index = self.index.as_mut().ok_or(Unusable);
        index.and_then(question).map_err(|Unusable| {
            Error::io(
                "index",
                self.store.directory(),
                std::io::ErrorKind::OutOfMemory.into(),
            )
        })
    }

    /// The addresses whose lease files name this holder, in ascending order.
    pub fn find(&mut self, holder: &Holder) -> Result<Vec<IpAddr>, Error> {
        loop {
            let candidates = self.ask(|index| index.find(holder))?;
            let count = candidates.len();
            let mut held: Vec<_> = candidates
                .into_iter()
                .filter(|address| self.store.holder(*address).as_ref() == Some(holder))
                .collect();
            if held.len() == count || self.fresh {
                held.sort_unstable();
                return Ok(held);
            }
            self.rebuild()?;
        }
    }

    /// The first address from `first` to `last` that has no lease.
    pub fn next_free(&mut self, first: IpAddr, last: IpAddr) -> Result<Option<IpAddr>, Error> {
        self.ask(|index| index.next_free(first, last))
    }

    /// Makes a lease; says whether it did, or the address was taken.
    pub fn create(&mut self, address: IpAddr, holder: &Holder) -> Result<bool, Error> {
        self.change = self.change.max(Change::Perhaps);
        let created = self.store.create_lease(address, holder)?;
        if created {
            self.change = Change::Yes;
            self.update(|index| index.insert(address, holder));
        }
        Ok(created)
    }

    /// Removes a lease; says whether it was there.
    pub fn remove(&mut self, address: IpAddr, holder: &Holder) -> Result<bool, Error> {
        self.change = self.change.max(Change::Perhaps);
        let removed = disk::remove(&self.store.lease_path(address))?;
        if removed {
            self.change = Change::Yes;
        }
        self.update(|index| index.remove(address, holder));
        Ok(removed)
    }

    /// Removes leases and says which; one that cannot be removed does not keep the others.
    pub fn remove_all<'h>(
        &mut self,
        leases: impl IntoIterator<Item = (IpAddr, &'h Holder)>,
    ) -> Result<Vec<IpAddr>, Error> {
        let (mut removed, mut failed) = (Vec::new(), None);
        for (address, holder) in leases {
            match self.remove(address, holder) {
                Ok(true) => removed.push(address),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%address, %holder, %error, "lease cannot be removed");
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(removed), Err)
    }

    pub fn set_last_reserved(&mut self, set: usize, address: IpAddr) -> Result<(), Error> {
        // Overwritten in place as a rule, which does not change the directory.
        self.change = self.change.max(Change::Perhaps);
        self.store.set_last_reserved(set, address)
    }

    /// Whether a lease could be written.
    pub fn probe(&mut self) -> Result<(), Error> {
        self.change = self.change.max(Change::Perhaps);
        disk::probe(self.store.directory())
    }

    /// An index that cannot take a change is given up; the files are right all the same.
    fn update(&mut self, change: impl FnOnce(&mut Index) -> Result<(), Unusable>) {
        if self
            .index
            .as_mut()
            .is_some_and(|index| change(index).is_err())
        {
            self.index = None;
        }
    }

    /// Leaves the index in a state that the next session can use. That it cannot is no
    /// error: the next one then reads the lease files.
    pub fn finish(mut self) {
        if self.change == Change::No && !self.fresh {
            return;
        }
        if let Err(reason) = self.persist() {
            tracing::debug!(store = %self.store.directory().display(), reason, "index not kept");
        }
    }

    /// Puts a new mark on the directory, or does without one from now on.
    fn renew_mark(&mut self) {
        let renewed = self
            .mark
            .and_then(|mark| mark.renew(&self.directory, self.change).ok().flatten());
        self.mark = renewed;
        self.change = Change::No;
    }

    fn persist(&mut self) -> Result<(), String> {
        if self.index.is_none() {
            self.rebuild().map_err(|error| error.to_string())?;
        }
        let index = self.index.as_mut().ok_or("it cannot be built")?;
        if index.is_in_memory() {
            let directory = self.store.index_directory();
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .map_err(|error| error.to_string())?;
            index
                .write(&index_file(self.store))
                .map_err(|error| error.to_string())?;
        }
        fault::before("renew mark").map_err(|error| error.to_string())?;
        self.renew_mark();
        let Some(mark) = self.mark else {
            // What it noted earlier would go on looking right, whatever upstream does.
            disk::remove(&index_file(self.store)).map_err(|error| error.to_string())?;
            return Err("the file system keeps no mark".to_owned());
        };
        let index = self.index.as_mut().ok_or("it was lost")?;
        index
            .note(&mark)
            .map_err(|Unusable| "its first page cannot be written".to_owned())
    }
}

fn index_file(store: &Store) -> PathBuf {
    store.index_directory().join("index")
}

#[cfg(test)]
impl Session<'_> {
    /// The index as it was found.
    pub(crate) fn index_for_test(&mut self) -> Option<&mut Index> {
        self.index.as_mut()
    }
}
