//! The memory level: one cache for all workers of an Envoy, bounded in bytes and in entries.
//!
//! It lives in shared data, so what one worker fetched another serves. Shared data cannot
//! list or drop keys, hence a fixed set of them: the memory is cut into segments, each with a
//! directory and numbered slots. A key belongs to one segment; the least recently used entries
//! of that segment make room. A directory is replaced atomically; a slot holds its key, so one
//! that was given to another entry meanwhile reads as a miss.

use crate::cache::entry::Entry;
use crate::cache::key::Key;
use crate::shared::{update, SharedData};

/// Directories: 32 keep each under 10 KB.
const SEGMENTS: u64 = 32;
/// Entries of one segment: 8,192 in all.
const SLOTS: u16 = 256;
/// What the head of an entry may take beside its body: header fields are a few KiB.
const HEAD_ALLOWANCE: usize = 16 * 1024;
/// A use is noted at most this often, milliseconds: order by use needs no more.
const USE_GRAIN: u64 = 1_000;

/// The bounds of the memory level.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    segment_bytes: usize,
    ttl_millis: u64,
}

/// What a directory has of one entry. All have the same size, so that one is found and changed
/// without reading the others.
#[derive(Clone, Debug)]
struct Record {
    key: [u8; 16],
    slot: u16,
    bytes: u32,
    used_at: u64,
    confirmed_at: u64,
}

/// What the memory level holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Entries, those that have outlived their time included.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What is in memory now, all workers together.
pub fn used(shared: &dyn SharedData) -> Used {
    let mut used = Used::default();
    for segment in 0..SEGMENTS {
        let stored = shared.get(&directory(segment));
        for record in stored.iter().flat_map(|(bytes, _)| read(bytes)) {
            used.entries += 1;
            used.bytes += u64::from(record.bytes);
        }
    }
    used
}

/// What a store changed, for the gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Bytes more (or less) than before.
    pub bytes: i64,
    /// Entries more (or less) than before.
    pub entries: i64,
    /// Entries that had to make room.
    pub evictions: u64,
}

impl Memory {
    /// A memory level of `bytes` in all whose entries live `ttl_seconds` after GitHub last
    /// confirmed them. An entry may take a 32nd of it at most.
    pub fn new(bytes: u64, ttl_seconds: u64) -> Self {
        Self {
            segment_bytes: usize::try_from(bytes / SEGMENTS).unwrap_or(usize::MAX),
            ttl_millis: ttl_seconds.saturating_mul(1_000),
        }
    }

    /// The longest body that is sure to fit with its head, bytes.
    pub fn longest_body(&self) -> usize {
        self.segment_bytes.saturating_sub(HEAD_ALLOWANCE)
    }

    /// Whether an entry of `bytes` (encoded) can be kept at all.
    pub fn admits(&self, bytes: usize) -> bool {
        bytes <= self.segment_bytes
    }

    /// The entry under `key`, when there is one that has not outlived its time.
    pub fn get(&self, shared: &dyn SharedData, key: &Key, now: u64) -> Option<Entry> {
        let segment = segment_of(key);
        let (bytes, _) = shared.get(&directory(segment))?;
        let mut records = bytes.chunks_exact(Record::SIZE);
        let record = Record::read(records.find(|it| is_of(it, key))?)?;
        // It may be from when the bound was a higher one.
        let fits = usize::try_from(record.bytes).is_ok_and(|bytes| self.admits(bytes));
        if !fits || now.saturating_sub(record.confirmed_at) > self.ttl_millis {
            return None;
        }
        let (raw, _) = shared.get(&slot(segment, record.slot))?;
        let mut entry = Entry::decode(raw, key)?;
        // The directory is newer: confirming an entry does not write its body again.
        entry.confirmed_at = entry.confirmed_at.max(record.confirmed_at);
        if now.saturating_sub(record.used_at) > USE_GRAIN {
            touch(shared, key, |record| record.used_at = now);
        }
        Some(entry)
    }

    /// Stores an entry, making room for it. One too large for a segment is left out.
    pub fn put(&self, shared: &dyn SharedData, entry: &Entry, now: u64) -> Change {
        let key = Key(entry.head.key);
        let size = entry.encoded().len();
        if !self.admits(size) {
            return Change::default();
        }
        let segment = segment_of(&key);
        let done = update(shared, &directory(segment), |bytes| {
            let mut records = read(bytes);
            let before = total(&records);
            let count = records.len() as i64;
            let known = records.iter().position(|record| record.key == short(&key));
            let slot = known.map(|at| records.swap_remove(at).slot);
            let evicted = self.make_room(&mut records, size, now);
            let slot = slot.unwrap_or_else(|| free_slot(&records));
            records.push(Record {
                key: short(&key),
                slot,
                bytes: size as u32,
                used_at: now,
                confirmed_at: entry.confirmed_at,
            });
            let change = Change {
                bytes: total(&records) - before,
                entries: records.len() as i64 - count,
                evictions: evicted.len() as u64,
            };
            (Some(write(&records)), (slot, evicted, change))
        });
        let Some((number, evicted, change)) = done else {
            return Change::default();
        };
        for freed in evicted.into_iter().filter(|freed| *freed != number) {
            shared.set(&slot(segment, freed), &[], None);
        }
        shared.set(&slot(segment, number), entry.encoded(), None);
        change
    }

    /// Notes that GitHub confirmed the entry under `key`, as it was at `confirmed_at`. `false` when
    /// it is not there.
    pub fn confirm(&self, shared: &dyn SharedData, key: &Key, confirmed_at: u64, now: u64) -> bool {
        touch(shared, key, |record| {
            record.confirmed_at = record.confirmed_at.max(confirmed_at);
            record.used_at = now;
        })
    }

    /// Drops what is beyond the bounds, if they are lower than they were.
    pub fn shrink(&self, shared: &dyn SharedData, now: u64) -> Change {
        let mut change = Change::default();
        for segment in 0..SEGMENTS {
            let dropped = update(shared, &directory(segment), |bytes| {
                let mut records = read(bytes);
                let (before, count) = (total(&records), records.len() as i64);
                if usize::try_from(before).is_ok_and(|bytes| self.admits(bytes)) {
                    return (None, None);
                }
                let evicted = self.make_room(&mut records, 0, now);
                let (bytes, entries) = (total(&records) - before, records.len() as i64 - count);
                (Some(write(&records)), Some((evicted, bytes, entries)))
            });
            let Some(Some((evicted, bytes, entries))) = dropped else {
                continue;
            };
            change.bytes += bytes;
            change.entries += entries;
            change.evictions += evicted.len() as u64;
            for freed in evicted {
                shared.set(&slot(segment, freed), &[], None);
            }
        }
        change
    }

    /// Drops what outlived its time, then the least recently used, until `size` fits and a
    /// slot is free. Returns the slots given up.
    fn make_room(&self, records: &mut Vec<Record>, size: usize, now: u64) -> Vec<u16> {
        let mut freed = Vec::new();
        records.retain(|record| {
            let lives = now.saturating_sub(record.confirmed_at) <= self.ttl_millis;
            if !lives {
                freed.push(record.slot);
            }
            lives
        });
        records.sort_by_key(|record| std::cmp::Reverse(record.used_at));
        while records.len() >= usize::from(SLOTS)
            || total(records) as usize + size > self.segment_bytes
        {
            match records.pop() {
                Some(record) => freed.push(record.slot),
                None => break,
            }
        }
        freed
    }
}

impl Record {
    /// Its size in a directory, bytes.
    const SIZE: usize = 16 + 2 + 4 + 8 + 8;

    fn read(bytes: &[u8]) -> Option<Self> {
        let (key, bytes) = bytes.split_first_chunk()?;
        let (slot, bytes) = bytes.split_first_chunk()?;
        let (size, bytes) = bytes.split_first_chunk()?;
        let (used_at, bytes) = bytes.split_first_chunk()?;
        let (confirmed_at, _) = bytes.split_first_chunk()?;
        Some(Self {
            key: *key,
            slot: u16::from_be_bytes(*slot),
            bytes: u32::from_be_bytes(*size),
            used_at: u64::from_be_bytes(*used_at),
            confirmed_at: u64::from_be_bytes(*confirmed_at),
        })
    }

    fn parts(&self) -> impl Iterator<Item = u8> {
        let bytes = self.key.into_iter();
        let bytes = bytes.chain(self.slot.to_be_bytes());
        let bytes = bytes.chain(self.bytes.to_be_bytes());
        let bytes = bytes.chain(self.used_at.to_be_bytes());
        bytes.chain(self.confirmed_at.to_be_bytes())
    }
}

/// Whether the record in `bytes` is that of `key`.
fn is_of(bytes: &[u8], key: &Key) -> bool {
    bytes.starts_with(&short(key))
}

/// Changes the record of `key`; `false` when there is none.
fn touch(shared: &dyn SharedData, key: &Key, change: impl Fn(&mut Record)) -> bool {
    update(shared, &directory(segment_of(key)), |bytes| {
        let mut bytes = bytes.to_vec();
        let mut records = bytes.chunks_exact_mut(Record::SIZE);
        let place = records.find(|it| is_of(it, key));
        let Some((place, mut record)) = place.and_then(|it| Record::read(it).map(|r| (it, r)))
        else {
            return (None, false);
        };
        change(&mut record);
        place
            .iter_mut()
            .zip(record.parts())
            .for_each(|(to, byte)| *to = byte);
        (Some(bytes), true)
    })
    .unwrap_or(false)
}

fn free_slot(records: &[Record]) -> u16 {
    let mut taken = [false; SLOTS as usize];
    for record in records {
        if let Some(place) = taken.get_mut(usize::from(record.slot)) {
            *place = true;
        }
    }
    let free = taken.iter().position(|taken| !taken).unwrap_or_default();
    free as u16
}

fn total(records: &[Record]) -> i64 {
    records.iter().map(|record| i64::from(record.bytes)).sum()
}

fn short(key: &Key) -> [u8; 16] {
    key.0.first_chunk::<16>().copied().unwrap_or_default()
}

fn segment_of(key: &Key) -> u64 {
    key.spread() % SEGMENTS
}

fn directory(segment: u64) -> String {
    format!("directory/{segment}")
}

fn slot(segment: u64, slot: u16) -> String {
    format!("memory/{segment}/{slot}")
}

fn read(bytes: &[u8]) -> Vec<Record> {
    let records = bytes.chunks_exact(Record::SIZE);
    records.filter_map(Record::read).collect()
}

fn write(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(Record::parts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::entry::EntryHead;
    use crate::header::Headers;
    use crate::shared::testing::Map;

    fn key(n: u64) -> Key {
        let mut key = [0; 32];
        // The spread picks the segment: multiples of 32 share the first one.
        key[..8].copy_from_slice(&(n * SEGMENTS).to_be_bytes());
        Key(key)
    }

    fn entry(n: u64, size: usize, confirmed_at: u64) -> Entry {
        let head = EntryHead {
            key: key(n).0,
            status: 200,
            headers: Headers::default(),
            varied: vec![],
            credential: 0,
            predictable: true,
            personal: false,
            former: None,
        };
        Entry::new(head, confirmed_at, &vec![n as u8; size])
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn what_is_put_is_got_until_its_time_is_over() {
        let (map, memory) = (Map::default(), Memory::new(1 << 20, 10));
        memory.put(&map, &entry(1, 100, 0), 0);
        assert_eq!(memory.get(&map, &key(1), 10_000).unwrap().body(), [1; 100]);
        assert!(memory.get(&map, &key(1), 10_001).is_none());
        memory.confirm(&map, &key(1), 9_000, 9_000);
        assert_eq!(
            memory.get(&map, &key(1), 19_000).unwrap().confirmed_at,
            9_000
        );
        assert!(memory.get(&map, &key(2), 0).is_none());
    }

    #[test]
    fn the_least_recently_used_make_room() {
        let map = Map::default();
        let memory = Memory::new(SEGMENTS * 1_000, 3_600);
        memory.put(&map, &entry(1, 300, 0), 0);
        memory.put(&map, &entry(2, 300, 0), 1);
        memory.get(&map, &key(1), 5_000);
        let change = memory.put(&map, &entry(3, 300, 0), 6_000);
        assert_eq!(change.evictions, 1);
        assert!(memory.get(&map, &key(2), 6_000).is_none());
        assert!(memory.get(&map, &key(1), 6_000).is_some());
        assert!(memory.get(&map, &key(3), 6_000).is_some());
    }

    #[test]
    fn an_entry_replaces_its_elder_and_the_gauges_add_up() {
        let map = Map::default();
        let memory = Memory::new(1 << 20, 3_600);
        let first = memory.put(&map, &entry(1, 100, 0), 0);
        let second = memory.put(&map, &entry(1, 50, 0), 1);
        assert_eq!((first.entries, second.entries), (1, 0));
        assert_eq!(second.bytes, -50);
        assert_eq!(memory.get(&map, &key(1), 1).unwrap().body().len(), 50);
        let bytes = u64::try_from(first.bytes + second.bytes).unwrap();
        assert_eq!(used(&map), Used { entries: 1, bytes });
    }

    #[test]
    fn lower_bounds_hold_for_what_is_there() {
        let map = Map::default();
        let memory = Memory::new(SEGMENTS * 1_000, 3_600);
        for n in 0..3 {
            memory.put(&map, &entry(n, 200, 0), n);
        }
        let unchanged = memory.shrink(&map, 3);
        assert_eq!(unchanged, Change::default());
        let lower = Memory::new(SEGMENTS * 500, 3_600);
        assert!(lower.get(&map, &key(0), 3).is_some(), "not yet");
        assert_eq!(lower.shrink(&map, 3).entries, -2);
        assert!(lower.get(&map, &key(1), 3).is_none());
        assert!(lower.get(&map, &key(2), 3).is_some());
        let off = Memory::new(0, 3_600);
        assert!(off.get(&map, &key(2), 3).is_none(), "at once");
        assert_eq!(off.shrink(&map, 3).evictions, 1);
        assert_eq!(used(&map), Used::default());
        assert!(memory.get(&map, &key(2), 3).is_none(), "it is gone");
    }

    #[test]
    fn neither_bytes_nor_keys_ever_pass_their_bounds() {
        let map = Map::default();
        let memory = Memory::new(SEGMENTS * 10_000, 3_600);
        let mut bytes = 0;
        for n in 0..2_000 {
            bytes += memory
                .put(&map, &entry(n, (n as usize * 37) % 9_000, 0), n)
                .bytes;
            assert!(bytes <= 10_000);
        }
        assert!(map.dump().len() < 40_000, "evicted slots are emptied");
        assert!(map.keys() <= 1 + SLOTS as usize);
        assert_eq!(memory.put(&map, &entry(1, 10_001, 0), 0), Change::default());
    }
}
