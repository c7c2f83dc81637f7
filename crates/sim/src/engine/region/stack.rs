//! A stack in chunks, for places of clients that need no seat of their own: where millions of them
//! are given back in one moment, what they took is free for what comes then.

/// The most that a stack wastes.
const CHUNK: usize = 64;

/// The last one comes out first.
#[derive(Debug)]
pub(crate) struct Stack<T> {
    /// All but the last are full, and none is empty.
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Stack<T> {
    fn default() -> Stack<T> {
        Stack { chunks: Vec::new() }
    }
}

impl<T> Stack<T> {
    pub(crate) fn push(&mut self, one: T) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(one),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(one);
                self.chunks.push(chunk);
            }
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let chunk = self.chunks.last_mut()?;
        let one = chunk.pop();
        if chunk.is_empty() {
            self.chunks.pop();
        }
        one
    }

    pub(crate) fn len(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

impl<T> IntoIterator for Stack<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    /// From the first that was put down.
    fn into_iter(self) -> Self::IntoIter {
        self.chunks.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_down_comes_back_and_takes_no_room_then() {
        for many in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1] {
            let mut stack = Stack::default();
            assert!(stack.is_empty());
            (0..many).for_each(|n| stack.push(n));
            assert_eq!((stack.len(), stack.is_empty()), (many, many == 0));
            assert_eq!(stack.chunks.len(), many.div_ceil(CHUNK));
            for left in (0..many).rev() {
                assert_eq!((stack.pop(), stack.len()), (Some(left), left));
            }
            assert!(stack.pop().is_none() && stack.chunks.is_empty());
        }
        let mut stack = Stack::default();
        (0..100).for_each(|n| stack.push(n));
        assert!(stack.into_iter().eq(0..100));
    }
}
