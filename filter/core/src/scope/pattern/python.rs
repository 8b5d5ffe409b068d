//! The syntax of Python's `re`, written for `fancy-regex`.
//!
//! What both have and mean alike is handed on. What means something else there is
//! translated (`\<` is a character in Python, `[` inside of `[…]` too), and what Python
//! refuses is refused (`\K`, `(?|…)`), so that no pattern allows more than it did.
//! `\d`, `\w`, `\s` and their negations become ASCII classes. Methods and normalised paths
//! are ASCII, so nothing else is matched than in Python, and `[\w.-]{1,100}` takes kilobytes
//! instead of the megabytes of Unicode's tables.

use std::fmt::Write;

/// What opens a group beside flags and comments.
const GROUPS: [&str; 9] = [":", "=", "!", "<=", "<!", ">", "P<", "P=", "("];

/// The pattern for `fancy-regex`.
///
/// # Errors
/// What Python's `re` does not have, or what to write instead.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut translator = Translator {
        rest: pattern,
        out: String::with_capacity(pattern.len()),
        verbose: vec![false],
        started: false,
        ascii: false,
        beyond_ascii: false,
    };
    while let Some(first) = translator.next() {
        translator.token(first)?;
    }
    if translator.ascii && translator.beyond_ascii {
        return Err("the flag a is for patterns of ASCII characters only".to_owned());
    }
    Ok(translator.out)
}

struct Translator<'a> {
    rest: &'a str,
    out: String,
    /// Of each group that is open, whether the flag `x` holds in it.
    verbose: Vec<bool>,
    /// Whether there was more than global flags and comments.
    started: bool,
    /// Whether the flag `a` was there.
    ascii: bool,
    beyond_ascii: bool,
}

/// A member of a class.
enum Item {
    One(char),
    Set(&'static str),
}

impl<'a> Translator<'a> {
    fn next(&mut self) -> Option<char> {
        let first = self.rest.chars().next()?;
        self.rest = self.rest.strip_prefix(first)?;
        Some(first)
    }

    /// Takes the next `most` characters at most, as far as they are digits of `radix`.
    fn digits(&mut self, most: usize, radix: u32) -> &'a str {
        let digits = self.rest.chars().take(most);
        let length = digits.take_while(|it| it.is_digit(radix)).count();
        let (digits, rest) = self.rest.split_at_checked(length).unwrap_or(("", ""));
        self.rest = rest;
        digits
    }

    fn is_verbose(&self) -> bool {
        self.verbose.last().copied().unwrap_or(false)
    }

    fn token(&mut self, first: char) -> Result<(), String> {
        if first == '(' && self.rest.starts_with('?') {
            return self.extension();
        }
        self.started |= !self.is_verbose() || !first.is_ascii_whitespace();
        match first {
            '\\' => return self.escape(),
            '[' => return self.class(),
            '(' if self.rest.starts_with('*') => return Err("(* repeats nothing".to_owned()),
            '(' => self.verbose.push(self.is_verbose()),
            ')' => {
                self.verbose.pop();
            }
            '#' if self.is_verbose() => {
                self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
                self.out.push_str("#\n");
                return Ok(());
            }
            _ => self.beyond_ascii |= !first.is_ascii(),
        }
        self.out.push(first);
        Ok(())
    }

    /// What begins with `(?`.
    fn extension(&mut self) -> Result<(), String> {
        let body = self.rest.strip_prefix('?').unwrap_or_default();
        if let Some(comment) = body.strip_prefix('#') {
            let (_, rest) = comment.split_once(')').ok_or("a comment without its )")?;
            self.rest = rest;
            self.out.push_str("(?#)");
            return Ok(());
        }
        let group = GROUPS.iter().find_map(|group| {
            let rest = body.strip_prefix(group)?;
            Some((group, rest))
        });
        let Some((group, rest)) = group else {
            return self.flags(body);
        };
        self.started = true;
        self.rest = rest;
        // The condition of (?(1)…) closes by itself.
        let opened = if *group == "(" { 2 } else { 1 };
        for _ in 0..opened {
            self.verbose.push(self.is_verbose());
        }
        self.out.push_str("(?");
        self.out.push_str(group);
        Ok(())
    }

    /// `flags)…`, global and so at the start, or `flags:…`, of a group.
    fn flags(&mut self, body: &'a str) -> Result<(), String> {
        let unknown = || "Python's re has no such group or flags after (?".to_owned();
        let end = body.find([')', ':']).ok_or_else(unknown)?;
        let (flags, rest) = body.split_at_checked(end).ok_or_else(unknown)?;
        let (on, off) = flags.split_once('-').unwrap_or((flags, ""));
        let are = |flags: &str, known: &str| flags.chars().all(|flag| known.contains(flag));
        if flags.is_empty() || flags.ends_with('-') || !are(on, "aimsux") || !are(off, "imsx") {
            return Err(unknown());
        }
        self.ascii |= on.contains('a');
        // ASCII or Unicode makes no difference to what is ASCII.
        let on: String = on.chars().filter(|flag| !"au".contains(*flag)).collect();
        let verbose = (self.is_verbose() || on.contains('x')) && !off.contains('x');
        if let Some(rest) = rest.strip_prefix(')') {
            if self.started || !off.is_empty() {
                return Err("flags for all of the pattern go to its start".to_owned());
            }
            self.rest = rest;
            self.verbose = vec![verbose];
            if !on.is_empty() {
                self.out.push_str(&format!("(?{on})"));
            }
            return Ok(());
        }
        self.started = true;
        self.rest = rest.strip_prefix(':').unwrap_or_default();
        self.verbose.push(verbose);
        let dash = if off.is_empty() { "" } else { "-" };
        self.out.push_str(&format!("(?{on}{dash}{off}:"));
        Ok(())
    }

    /// What follows a backslash, outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        let first = self.next().ok_or("a backslash at the end")?;
        match first {
            'A' => self.out.push_str(r"\A"),
            'Z' => self.out.push_str(r"\z"),
            // In a group, since a brace after it would give it another meaning.
            'b' => self.out.push_str(r"(?:\b)"),
            'B' => self.out.push_str(r"(?:\B)"),
            '1'..='9' if !self.is_octal(first) => {
                let second = self.digits(1, 10);
                self.out.push_str(&format!(r"(?:\{first}{second})"));
            }
            _ => {
                let item = self.escaped(first)?;
                self.push(&item);
            }
        }
        Ok(())
    }

    /// Whether a digit after a backslash begins a character in octal, not a back reference.
    fn is_octal(&self, first: char) -> bool {
        let next = self.rest.chars().take(2);
        first.is_digit(8) && next.filter(|it| it.is_digit(8)).count() == 2
    }

    /// What is the same in a class and outside.
    fn escaped(&mut self, first: char) -> Result<Item, String> {
        let code = match first {
            'd' => return Ok(Item::Set("[0-9]")),
            'D' => return Ok(Item::Set("[^0-9]")),
            'w' => return Ok(Item::Set("[0-9A-Za-z_]")),
            'W' => return Ok(Item::Set("[^0-9A-Za-z_]")),
            's' => return Ok(Item::Set(r"[\x09-\x0D\x20]")),
            'S' => return Ok(Item::Set(r"[^\x09-\x0D\x20]")),
            'a' => 0x07,
            't' => 0x09,
            'n' => 0x0a,
            'v' => 0x0b,
            'f' => 0x0c,
            'r' => 0x0d,
            '0'..='7' => {
                let digits = format!("{first}{}", self.digits(2, 8));
                let code = u32::from_str_radix(&digits, 8).ok();
                code.filter(|code| *code <= 0o377)
                    .ok_or("the highest octal escape is \\377")?
            }
            'x' => self.hex(2)?,
            'u' => self.hex(4)?,
            'U' => self.hex(8)?,
            'N' => return Err("write the character itself instead of \\N{...}".to_owned()),
            _ if first.is_ascii_alphanumeric() => {
                return Err(format!("Python's re has no \\{first}"));
            }
            _ => u32::from(first),
        };
        let one = char::from_u32(code).ok_or("no character has this number")?;
        Ok(Item::One(one))
    }

    fn hex(&mut self, length: usize) -> Result<u32, String> {
        let digits = self.digits(length, 16);
        let code = u32::from_str_radix(digits, 16).ok();
        let code = code.filter(|_| digits.len() == length);
        code.ok_or_else(|| format!("expected {length} hexadecimal digits in an escape"))
    }

    /// The rest of a class.
    fn class(&mut self) -> Result<(), String> {
        const UNCLOSED: &str = "[ without its ]";
        self.out.push('[');
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest;
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            let first = self.next().ok_or(UNCLOSED)?;
            if first == ']' && !is_first {
                break;
            }
            is_first = false;
            let item = self.member(first)?;
            let range = self.rest.strip_prefix('-');
            let Some(rest) = range.filter(|rest| !rest.starts_with(']')) else {
                self.push(&item);
                continue;
            };
            self.rest = rest;
            let last = self.next().ok_or(UNCLOSED)?;
            match (item, self.member(last)?) {
                (Item::One(from), Item::One(to)) if from <= to => {
                    self.push(&Item::One(from));
                    self.out.push('-');
                    self.push(&Item::One(to));
                }
                _ => return Err("a range in [...] goes from a lower character up".to_owned()),
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn member(&mut self, first: char) -> Result<Item, String> {
        if first != '\\' {
            return Ok(Item::One(first));
        }
        match self.next().ok_or("a backslash at the end")? {
            'b' => Ok(Item::One('\u{8}')),
            first => self.escaped(first),
        }
    }

    /// Writes a character so that it is nothing but itself, anywhere.
    fn push(&mut self, item: &Item) {
        match item {
            Item::Set(set) => self.out.push_str(set),
            Item::One(one) if one.is_ascii() && !one.is_ascii_alphanumeric() => {
                // Writing to a string cannot fail.
                let _ = write!(self.out, r"\x{:02X}", u32::from(*one));
            }
            Item::One(one) => {
                self.beyond_ascii |= !one.is_ascii();
                self.out.push(*one);
            }
        }
    }
}
