//! Layouts of bodies: structs whose fields are spelled one after the other.

/// Structs of a body, field by field in the order of its bytes.
///
/// Frozen: the order and the types here are the format. What changes is a new body, with a
/// kind of its own.
macro_rules! layout {
    ($($(#[$doc:meta])* $body:ident $(<$life:lifetime>)? { $($field:ident: $type:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub(super) struct $body $(<$life>)? {
            $(pub(super) $field: $type,)*
        }

        impl $(<$life>)? ::bincode::Encode for $body $(<$life>)? {
            fn encode<E: ::bincode::enc::Encoder>(
                &self,
                encoder: &mut E,
            ) -> Result<(), ::bincode::error::EncodeError> {
                $(::bincode::Encode::encode(&self.$field, encoder)?;)*
                Ok(())
            }
        }

        impl<'de $(: $life, $life)?, C> ::bincode::BorrowDecode<'de, C> for $body $(<$life>)? {
            fn borrow_decode<D: ::bincode::de::BorrowDecoder<'de, Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, ::bincode::error::DecodeError> {
                Ok($body { $($field: ::bincode::BorrowDecode::borrow_decode(decoder)?,)* })
            }
        }
    )* };
}

/// One of a few words, as one byte. Frozen as `layout!` is.
macro_rules! words {
    ($($(#[$doc:meta])* $body:ident { $($word:ident = $byte:literal,)* })*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(super) enum $body {
            $($word = $byte,)*
        }

        impl ::bincode::Encode for $body {
            fn encode<E: ::bincode::enc::Encoder>(
                &self,
                encoder: &mut E,
            ) -> Result<(), ::bincode::error::EncodeError> {
                (*self as u8).encode(encoder)
            }
        }

        impl<'de, C> ::bincode::BorrowDecode<'de, C> for $body {
            fn borrow_decode<D: ::bincode::de::BorrowDecoder<'de, Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, ::bincode::error::DecodeError> {
                match <u8 as ::bincode::BorrowDecode<'de, C>>::borrow_decode(decoder)? {
                    $($byte => Ok($body::$word),)*
                    _ => Err($crate::frame::bad_value()),
                }
            }
        }
    )* };
}

pub(crate) use {layout, words};
