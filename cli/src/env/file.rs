//! Variables from an environment file, so that they can change while the proxy runs: the
//! environment of a process cannot.
//!
//! A file has a `NAME=VALUE` on each line, as Docker's and systemd's environment files do: blank
//! lines and those that begin with `#` do not count, a leading `export` is fine. A value in
//! quotes may span lines, which a private key needs; double quotes know `\n`, `\"` and `\\`.
//! Nothing is expanded. A folder has a file for each variable, as secrets are mounted. Faults
//! name the place and never show a value.

use std::fs;
use std::path::Path;

use crate::bounded;
use crate::faults::Faults;

/// More than any environment has.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A name and its value.
pub type Pair = (String, String);

/// The variables in the file or the folder at `path`.
///
/// # Errors
/// Every fault, with its line where it has one.
pub fn read(path: &Path) -> Result<Vec<Pair>, Faults> {
    if path.is_dir() {
        read_folder(path)
    } else {
        parse(&path.display().to_string(), &text_of(path)?)
    }
}

/// The files that [`read`] would look at.
pub fn files(path: &Path) -> Vec<std::path::PathBuf> {
    if path.is_dir() {
        variables_in(path).unwrap_or_default()
    } else {
        vec![path.to_owned()]
    }
}

fn read_folder(folder: &Path) -> Result<Vec<Pair>, Faults> {
    let files = variables_in(folder)
        .map_err(|error| Faults::one(format!("{}: cannot be read: {error}", folder.display())))?;
    let mut faults = Faults::default();
    let mut pairs = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if let Some(text) = faults.take(text_of(&file)) {
            // Editors and `echo` end a file with a line break, and some begin it with a mark.
            let value = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
            let value = value
                .strip_suffix("\r\n")
                .or_else(|| value.strip_suffix('\n'))
                .unwrap_or(value);
            pairs.push((name.into_owned(), value.to_owned()));
        }
    }
    faults.or(Some(pairs))
}

/// The files in `folder` whose names are those of variables; what begins with a dot or ends
/// otherwise (`..data`, `x.swp`) belongs to whoever mounts or edits them.
fn variables_in(folder: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(is_name) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn text_of(path: &Path) -> Result<String, Faults> {
    let fault = |what: String| Faults::one(format!("{}: {what}", path.display()));
    let bytes = bounded::read(path, MAX_BYTES)
        .map_err(|error| fault(format!("cannot be read: {error}")))?
        .ok_or_else(|| fault(format!("expected at most {MAX_BYTES} bytes")))?;
    let text = String::from_utf8(bytes).map_err(|_| fault("expected UTF-8 text".to_owned()))?;
    if text.contains('\0') {
        return Err(fault("expected text without NUL".to_owned()));
    }
    Ok(text)
}

/// The variables in `text`, the content of the file `name`.
fn parse(name: &str, text: &str) -> Result<Vec<Pair>, Faults> {
    let mut faults = Faults::default();
    let mut pairs: Vec<Pair> = Vec::new();
    let mut rest = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut line = 1;
    while !rest.is_empty() {
        let (taken, outcome) = assignment(rest);
        match outcome {
            Ok(Some((variable, _))) if pairs.iter().any(|(other, _)| *other == variable) => {
                faults.add(format!("{name}:{line}: {variable} occurs twice"));
            }
            Ok(pair) => pairs.extend(pair),
            Err(fault) => faults.add(format!("{name}:{line}: {fault}")),
        }
        let (done, left) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        line += done.matches('\n').count();
        rest = left;
    }
    faults.or(Some(pairs))
}

/// What the text begins with, and how many bytes of it that is.
fn assignment(text: &str) -> (usize, Result<Option<Pair>, String>) {
    let line = text.split_inclusive('\n').next().unwrap_or_default();
    let content = line.trim();
    if content.is_empty() || content.starts_with('#') {
        return (line.len(), Ok(None));
    }
    let exported = content.strip_prefix("export").filter(|rest| {
        // Else it is the name of a variable, or its beginning.
        rest.starts_with([' ', '\t']) && !rest.trim_start().starts_with('=')
    });
    let content = exported.map_or(content, str::trim_start);
    let Some((variable, value)) = content.split_once('=') else {
        return (line.len(), Err("expected NAME=VALUE".to_owned()));
    };
    let variable = variable.trim_end();
    if !is_name(variable) {
        let fault =
            "expected the name of a variable before the =: letters, digits, '_', '.' or '-'";
        return (line.len(), Err(fault.to_owned()));
    }
    let value = value.trim_start();
    let Some(quote) = value.chars().next().filter(|first| "'\"".contains(*first)) else {
        return (
            line.len(),
            Ok(Some((variable.to_owned(), value.to_owned()))),
        );
    };
    // The value begins where the line's first quote after the = is.
    let start = line
        .find('=')
        .and_then(|at| Some(at + line.get(at..)?.find(quote)? + 1));
    let body = start
        .and_then(|start| text.get(start..))
        .unwrap_or_default();
    let Some((value, length)) = quoted(body, quote) else {
        return (
            text.len(),
            Err(format!("{variable}: a quote is not closed")),
        );
    };
    let end = start.unwrap_or_default() + length;
    let after = text.get(end..).unwrap_or_default();
    let after = after.split_inclusive('\n').next().unwrap_or_default();
    let taken = end + after.len();
    if !after.trim().is_empty() {
        return (
            taken,
            Err(format!(
                "{variable}: expected nothing after the closing quote"
            )),
        );
    }
    (taken, Ok(Some((variable.to_owned(), value))))
}

/// The value up to the closing `quote`, and the length of both in bytes.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            _ if character == quote => return Some((value, at + 1)),
            '\\' if quote == '"' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other @ ('"' | '\\' | '$' | '`') => value.push(other),
                other => value.extend(['\\', other]),
            },
            _ => value.push(character),
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    name.bytes().all(legal)
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse("env", text).unwrap()
    }

    #[test]
    fn lines_comments_quotes_and_keys_over_several_lines() {
        let text = "\u{feff}# tokens\r\nA=1\r\n\n  export B = two words # and this \nC=\nD='it's\n";
        assert_eq!(
            parse("env", text).unwrap_err().lines(),
            ["env:6: D: expected nothing after the closing quote"]
        );
        let text =
            "\u{feff}# tokens\r\nA=1\r\n\n  export B = two words # and this \nC=\nD='a\\n$b\n'\n\
                    E=\"-----BEGIN\nline\\nline\\\\\\\"\\$x\\d-----\" \nF=last=one";
        let expected = [
            ("A", "1"),
            ("B", "two words # and this"),
            ("C", ""),
            ("D", "a\\n$b\n"),
            ("E", "-----BEGIN\nline\nline\\\"$x\\d-----"),
            ("F", "last=one"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parsed(text), expected);
    }

    #[test]
    fn any_blanks_may_follow_export() {
        let text = "export\tA=1\nexport \t B='2'\nexport = 3\nexported=4\nexport\t=5";
        let fault = parse("env", text).unwrap_err();
        assert_eq!(fault.lines(), ["env:5: export occurs twice"]);
        let text = "export\tA=1\nexport \t B='2'\nexport = 3\nexported=4";
        let expected = [("A", "1"), ("B", "2"), ("export", "3"), ("exported", "4")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parsed(text), expected);
    }

    #[test]
    fn faults_have_their_line_and_show_no_value() {
        let text = "A=hunter2\nhunter2\nA=hunter2\nB='hunter2\nhunter2'\n9=hunter2\nhunter 2=x\nC=\"hunter2";
        assert_eq!(
            parse("env", text).unwrap_err().lines(),
            [
                "env:2: expected NAME=VALUE",
                "env:3: A occurs twice",
                "env:6: expected the name of a variable before the =: letters, digits, '_', '.' or '-'",
                "env:7: expected the name of a variable before the =: letters, digits, '_', '.' or '-'",
                "env:8: C: a quote is not closed",
            ]
        );
    }

    #[test]
    fn a_folder_has_a_file_for_each_variable() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("GITHUB_PAT_A", "ghp_1\n"),
            ("A.b-c", "x\n\n"),
            ("CACHE_BACKEND_URL", "\u{feff}redis://localhost\r\n"),
            ("..data", "no"),
            ("a~", "no"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        fs::create_dir(folder.path().join("folder")).unwrap();
        let expected = [
            ("A.b-c", "x\n"),
            ("CACHE_BACKEND_URL", "redis://localhost"),
            ("GITHUB_PAT_A", "ghp_1"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(folder.path()).unwrap(), expected);
        assert_eq!(files(folder.path()).len(), 3);
        let missing = read(&folder.path().join("nowhere")).unwrap_err();
        assert!(
            missing.to_string().contains("nowhere: cannot be read"),
            "{missing}"
        );
    }
}
