//! A page read by a real tokenizer, with every element closed where it must be.

use html5gum::{Token, Tokenizer};

/// Elements that have no end.
const VOID: [&str; 4] = ["meta", "link", "br", "hr"];

/// What a reader makes of a page.
pub struct Parsed {
    /// All text but style, in order.
    pub text: String,
    /// The style sheet.
    pub style: String,
    /// All attributes.
    pub all: Vec<(String, String)>,
    elements: Vec<String>,
}

impl Parsed {
    /// Panics at an error of the tokenizer, and at an element that is not closed, or not its turn.
    pub fn of(page: &str) -> Parsed {
        let mut parsed = Parsed {
            text: String::new(),
            style: String::new(),
            all: Vec::new(),
            elements: Vec::new(),
        };
        let mut open: Vec<String> = Vec::new();
        for token in Tokenizer::new(page) {
            match token.unwrap() {
                Token::StartTag(tag) => {
                    let name = utf8(&tag.name);
                    for (attribute, value) in &tag.attributes {
                        parsed.all.push((utf8(attribute), utf8(value)));
                    }
                    parsed.elements.push(name.clone());
                    if !tag.self_closing && !VOID.contains(&name.as_str()) {
                        open.push(name);
                    }
                }
                Token::EndTag(tag) => assert_eq!(open.pop(), Some(utf8(&tag.name))),
                Token::String(text) if open.last().is_some_and(|name| name == "style") => {
                    parsed.style.push_str(&utf8(&text));
                }
                Token::String(text) => parsed.text.push_str(&utf8(&text)),
                Token::Error(error) => panic!("{error:?}"),
                Token::Comment(_) | Token::Doctype(_) => {}
            }
        }
        assert_eq!(open, [""; 0]);
        parsed
    }

    /// How many elements have this name.
    pub fn elements(&self, name: &str) -> usize {
        self.elements.iter().filter(|element| *element == name).count()
    }

    /// How many attributes have this value; of classes, these and perhaps others behind.
    pub fn attributes(&self, name: &str, value: &str) -> usize {
        let is = |(attribute, found): &&(String, String)| {
            attribute == name && (found == value || name == "class" && found.starts_with(value))
        };
        self.all.iter().filter(is).count()
    }
}

fn utf8(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).expect("a page is UTF-8").to_owned()
}
