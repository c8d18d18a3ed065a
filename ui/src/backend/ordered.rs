//! Messages that carry their number and may overtake each other.

/// Holds back what has come too early.
#[derive(Debug)]
pub(super) struct Ordered<T> {
    next: u64,
    /// Few, and in any order.
    early: Vec<(u64, T)>,
}

impl<T> Ordered<T> {
    /// Expects number 0 first.
    pub(super) fn new() -> Self {
        Self { next: 0, early: Vec::new() }
    }

    /// Takes a message and gives back all that are now in order. A number that has been seen before gives nothing.
    pub(super) fn take(&mut self, number: u64, message: T) -> Vec<T> {
        if number >= self.next && self.early.iter().all(|(other, _)| *other != number) {
            self.early.push((number, message));
        }
        let mut ready = Vec::new();
        while let Some(at) = self.early.iter().position(|(number, _)| *number == self.next) {
            ready.push(self.early.swap_remove(at).1);
            self.next += 1;
        }
        ready
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn what_overtakes_waits_for_what_it_overtook() {
        let mut ordered = Ordered::new();
        assert_eq!(ordered.take(0, 'a'), ['a']);
        assert!(ordered.take(2, 'c').is_empty());
        assert!(ordered.take(3, 'd').is_empty());
        assert_eq!(ordered.take(1, 'b'), ['b', 'c', 'd']);
    }

    #[test]
    fn a_number_counts_once() {
        let mut ordered = Ordered::new();
        ordered.take(0, 'a');
        assert!(ordered.take(0, 'x').is_empty());
        assert_eq!(ordered.take(1, 'b'), ['b']);
    }
}
