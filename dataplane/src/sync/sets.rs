//! Sets: written once, found again by what they hold, removed with their last user.

use abi::{MaglevKey, MemberKey, SlotKey};

use super::{Content, Set, Tables, Written};
use crate::error::Result;
use crate::maglev;
use crate::store::Store;

impl<S: Store> Tables<S> {
    /// The set with that content, written if there is none; zero for nobody.
    pub(super) fn set(&mut self, content: Content) -> Result<Written> {
        let count = u32::try_from(content.backends.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return Ok(Written::default());
        }
        let maglev = content.maglev;
        let written = |id| Written { id, count, maglev };
        if let Some(id) = self.by_content.get(&content) {
            return Ok(written(*id));
        }
        let id = self.fresh_set();
        // Known before it is written: a failure half-way leaves it to the sweep.
        let set = Set {
            content: content.clone(),
            users: 0,
        };
        self.sets.insert(id, set);
        self.unused.insert(id);
        for (slot, backend) in (0..).zip(&content.backends) {
            self.store.put_slot(SlotKey { set: id, slot }, *backend)?;
            if content.members {
                self.store.put_member(MemberKey {
                    set: id,
                    backend: *backend,
                })?;
            }
        }
        if maglev != 0 {
            for (part, slots) in (0..).zip(maglev::parts(&content.backends)) {
                self.store.put_maglev(MaglevKey { set: id, part }, &slots)?;
            }
        }
        self.by_content.insert(content, id);
        Ok(written(id))
    }

    fn fresh_set(&mut self) -> u32 {
        loop {
            let id = self.next_set;
            self.next_set = self.next_set.checked_add(1).unwrap_or(1);
            if !self.sets.contains_key(&id) {
                return id;
            }
        }
    }

    /// Removes the sets that nobody uses.
    pub(super) fn sweep(&mut self) -> Result<()> {
        for id in std::mem::take(&mut self.unused) {
            if self.sets.get(&id).is_none_or(|set| set.users != 0) {
                continue;
            }
            let Some(set) = self.sets.remove(&id) else {
                continue;
            };
            if self.by_content.get(&set.content) == Some(&id) {
                self.by_content.remove(&set.content);
            }
            for part in 0..set.content.parts() {
                self.store.delete_maglev(MaglevKey { set: id, part })?;
            }
            let members = set.content.members;
            for (slot, backend) in (0..).zip(set.content.backends) {
                self.store.delete_slot(SlotKey { set: id, slot })?;
                if members {
                    self.store.delete_member(MemberKey { set: id, backend })?;
                }
            }
        }
        Ok(())
    }
}
