//! The text of a configuration file: getting it, and pointing into it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::Path;

use super::bounds::FILE_MAX;
use super::finding::{ConfigError, Finding};

/// Characters of a source line shown around the caret.
const EXCERPT_MAX: usize = 96;
/// Characters of a value repeated in a message.
const QUOTE_MAX: usize = 60;

/// A file's text with its name.
#[derive(Clone, Debug)]
pub(crate) struct Source<'a> {
    /// As the operator named it.
    pub file: &'a Path,
    /// The whole of it.
    pub text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
}

/// Line and column, both from 1; columns count characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// One line of the file, with what to underline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Excerpt {
    /// The line, shortened where it is very long, control characters made harmless.
    pub line: String,
    /// What moves the caret below its place: blanks, and tabs where the line has tabs.
    pub indent: String,
    /// Carets to write.
    pub width: usize,
}

/// Reads the file, at most [`FILE_MAX`] bytes of it. Where there is none, `start` says what to do.
pub(crate) fn read(file: &Path, start: &str) -> Result<String, ConfigError> {
    let refused =
        |message: String, help: &str| ConfigError::from(Finding::whole_file(file, message, help));
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(
        |error| match error.kind() {
            ErrorKind::NotFound => refused("no such file".into(), start),
            ErrorKind::PermissionDenied => {
                refused("permission denied".into(), "let the user that runs isobar read the file")
            }
            ErrorKind::IsADirectory => {
                refused("is a directory".into(), "name the file in it, for example isobar.toml")
            }
            _ => refused(format!("cannot be read: {error}"), "check the path"),
        },
    )?;
    if bytes.len() > FILE_MAX {
        let help = "no such file needs more; is this the right one?";
        return Err(refused("larger than 1 MiB".into(), help));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let source = Source::new(file, &text);
        let help = "save the file as UTF-8; TOML knows no other encoding";
        Finding::at(&source, &(valid..valid), "", "not UTF-8 from here on", help).into()
    })
}

impl<'a> Source<'a> {
    /// The text of `file`.
    pub(crate) fn new(file: &'a Path, text: &'a str) -> Source<'a> {
        let newlines = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Source { file, text, starts: std::iter::once(0).chain(newlines).collect() }
    }

    /// Where the byte `offset` is.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let offset = self.boundary(offset);
        let line = self.line(offset);
        Position { line, column: self.text[self.starts[line - 1]..offset].chars().count() + 1 }
    }

    /// The line, from 1, that the byte `offset` is on.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// The value at `at` as typed, on one line, shortened.
    pub(crate) fn quote(&self, at: &Range<usize>) -> String {
        let start = self.boundary(at.start);
        let end = self.boundary(at.end).max(start);
        let words: Vec<&str> = self.text[start..end].split_whitespace().collect();
        let typed = words.join(" ");
        if typed.chars().count() <= QUOTE_MAX {
            return harmless(&typed);
        }
        let cut: String = typed.chars().take(QUOTE_MAX).collect();
        format!("{}…", harmless(&cut))
    }

    /// The line that `at` begins on, and where in it.
    pub(crate) fn excerpt(&self, at: &Range<usize>) -> Excerpt {
        let offset = self.boundary(at.start);
        let start = self.starts[self.line(offset) - 1];
        let end =
            self.text[offset..].find('\n').map_or(self.text.len(), |newline| offset + newline);
        let line: Vec<char> = self.text[start..end].trim_end().chars().collect();
        let column = self.text[start..offset].chars().count();
        let marked_end = self.boundary(at.end).clamp(offset, end);
        let width = self.text[offset..marked_end].trim_end().chars().count();

        // A very long line is shown from a little before the caret.
        let skipped =
            if line.len() > EXCERPT_MAX { column.saturating_sub(EXCERPT_MAX / 2) } else { 0 };
        let shown: String = line.iter().skip(skipped).take(EXCERPT_MAX).collect();
        let indent =
            line.iter().chain(std::iter::repeat(&' ')).skip(skipped).take(column - skipped);
        Excerpt {
            line: harmless(&shown),
            indent: indent.map(|c| if *c == '\t' { '\t' } else { ' ' }).collect(),
            width: width.clamp(1, EXCERPT_MAX / 2),
        }
    }

    /// `offset`, moved back to the nearest place where the text can be cut.
    fn boundary(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset.min(self.text.len()))
    }
}

/// A file is shown on a terminal: what would steer the terminal is replaced.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source<'_> {
        Source::new(Path::new("x.toml"), text)
    }

    #[test]
    fn points_at_characters_not_bytes() {
        let text = "a = 1\n\tnäme = \"é\" # ü\r\n";
        let at = text.find("\"é\"").unwrap();
        let source = source(text);
        assert_eq!(source.position(at), Position { line: 2, column: 9 });
        let excerpt = source.excerpt(&(at..at + 4));
        assert_eq!(excerpt.line, "\tnäme = \"é\" # ü");
        assert_eq!(excerpt.indent, "\t       ");
        assert_eq!(excerpt.width, 3);
    }

    #[test]
    fn any_range_can_be_shown() {
        let text = "ä\u{1b}[2J = 1\nb";
        for start in 0..text.len() + 2 {
            for end in 0..text.len() + 2 {
                let excerpt = source(text).excerpt(&(start..end));
                assert!(!excerpt.line.contains('\u{1b}'));
                source(text).quote(&(start..end));
                source(text).position(start);
            }
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("x = [{}]", "1, ".repeat(5000));
        let excerpt = source(&text).excerpt(&(9_000..9_001));
        assert_eq!(excerpt.line.chars().count(), EXCERPT_MAX);
        assert_eq!(excerpt.indent.chars().count(), EXCERPT_MAX / 2);
    }
}
