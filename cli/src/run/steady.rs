//! What is followed by looking at it again and again: something new counts once it was seen twice
//! in a row, so that what is only half written does not.

/// What is followed.
pub(super) struct Steady<T> {
    known: T,
    candidate: Option<T>,
}

impl<T: PartialEq> Steady<T> {
    /// What is there now.
    pub(super) fn new(known: T) -> Self {
        Self {
            known,
            candidate: None,
        }
    }

    /// Takes what was seen; the new content, when it counts.
    pub(super) fn see(&mut self, seen: T) -> Option<&T> {
        if self.candidate.as_ref() == Some(&seen) {
            return Some(self.settle(seen));
        }
        self.candidate = Some(seen).filter(|seen| *seen != self.known);
        None
    }

    /// What counts as known.
    pub(super) fn known_mut(&mut self) -> &mut T {
        &mut self.known
    }

    /// Takes what was seen as what is there, however often it was seen.
    pub(super) fn settle(&mut self, seen: T) -> &T {
        self.candidate = None;
        self.known = seen;
        &self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_counts_the_second_time() {
        let mut it = Steady::new(0);
        let seen = [0, 1, 2, 2, 2, 3, 2, 3, 3].map(|seen| it.see(seen).copied());
        let counts = [None, None, None, Some(2), None, None, None, None, Some(3)];
        assert_eq!(seen, counts);
        it.settle(4);
        assert_eq!(it.see(4), None);
    }
}
