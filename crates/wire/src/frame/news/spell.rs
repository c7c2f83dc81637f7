//! How a value of `core` and its spelling become each other.

use crate::frame::{List, Text};

/// A spelling of `C`. Both directions are total: what may fail has failed in the reading of
/// bytes, where the limits are held.
pub(super) trait Spell<'a, C> {
    /// The value as it is written. Strings are borrowed.
    fn spell(value: &'a C) -> Self;
    /// What was written.
    fn read(self) -> C;
}

/// Bodies as `layout!` has them, and the places in `core` of the same fields.
macro_rules! frozen {
    ($($(#[$doc:meta])* $body:ident $(<$life:lifetime>)? of $of:ident {
        $($field:ident: $type:ty,)*
    })*) => {
        $crate::frame::layout! { $($(#[$doc])* $body $(<$life>)? { $($field: $type,)* })* }

        $($crate::frame::news::spell::frozen! { @spell $body $(<$life>)? of $of { $($field)* } })*
    };
    (@spell $body:ident <$life:lifetime> of $of:ident { $($field:ident)* }) => {
        impl<$life> $crate::frame::news::spell::Spell<$life, $of> for $body<$life> {
            $crate::frame::news::spell::frozen! { @both $life $body $of { $($field)* } }
        }
    };
    (@spell $body:ident of $of:ident { $($field:ident)* }) => {
        impl<'a> $crate::frame::news::spell::Spell<'a, $of> for $body {
            $crate::frame::news::spell::frozen! { @both 'a $body $of { $($field)* } }
        }
    };
    (@both $life:lifetime $body:ident $of:ident { $($field:ident)* }) => {
        fn spell(value: &$life $of) -> Self {
            $body { $($field: $crate::frame::news::spell::Spell::spell(&value.$field),)* }
        }

        fn read(self) -> $of {
            $of { $($field: $crate::frame::news::spell::Spell::read(self.$field),)* }
        }
    };
}
pub(super) use frozen;

/// One of a few words, as `words!` has them, and the same words of `core`.
macro_rules! frozen_words {
    ($($(#[$doc:meta])* $body:ident of $of:ident { $($word:ident = $byte:literal,)* })*) => {
        $crate::frame::words! { $($(#[$doc])* $body { $($word = $byte,)* })* }

        $(impl<'a> $crate::frame::news::spell::Spell<'a, $of> for $body {
            fn spell(value: &'a $of) -> Self {
                match value {
                    $($of::$word => $body::$word,)*
                }
            }

            fn read(self) -> $of {
                match self {
                    $($body::$word => $of::$word,)*
                }
            }
        })*
    };
}
pub(super) use frozen_words;

/// A list of spellings.
pub(super) fn list<'a, C, T: Spell<'a, C>, const MAX: usize>(values: &'a [C]) -> List<T, MAX> {
    List(values.iter().map(T::spell).collect())
}

impl<'a, C, T: Spell<'a, C>, const MAX: usize> Spell<'a, Vec<C>> for List<T, MAX> {
    fn spell(values: &'a Vec<C>) -> Self {
        list(values)
    }

    fn read(self) -> Vec<C> {
        self.0.into_iter().map(T::read).collect()
    }
}

impl<'a, const MAX: usize> Spell<'a, String> for Text<'a, MAX> {
    fn spell(value: &'a String) -> Self {
        Text(value)
    }

    fn read(self) -> String {
        self.0.to_owned()
    }
}

/// Eight bytes as they are: hashes and sets have no small values.
impl<'a> Spell<'a, u64> for [u8; 8] {
    fn spell(value: &'a u64) -> Self {
        value.to_be_bytes()
    }

    fn read(self) -> u64 {
        u64::from_be_bytes(self)
    }
}

macro_rules! as_it_is {
    ($($type:ty),*) => { $(
        impl<'a> Spell<'a, $type> for $type {
            fn spell(value: &'a $type) -> Self {
                *value
            }

            fn read(self) -> $type {
                self
            }
        }
    )* };
}

as_it_is!(bool, u8, u16, u32, u64, Option<u32>);
