//! The two small protobuf messages of Envoy's `sign` function, by hand: three fields do not
//! pay for a library. Every field is length-delimited (wire type 2).

/// `SignArguments`: 1 hash function, 3 text, 4 private key.
pub fn sign_arguments(hash: &str, text: &str, key: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(hash.len() + text.len() + key.len() + 16);
    for (number, value) in [(1, hash), (3, text), (4, key)] {
        message.push(number << 3 | 2);
        push_varint(&mut message, value.len() as u64);
        message.extend_from_slice(value.as_bytes());
    }
    message
}

/// Field 2 of `SignResult`: the signature. `None` when it is missing or empty.
pub fn signature(message: &[u8]) -> Option<Vec<u8>> {
    let mut rest = message;
    while let Some((tag, tail)) = varint(rest) {
        let (length, tail) = varint(tail)?;
        if tag & 7 == 0 {
            // A varint field: what was read as a length is its value.
            rest = tail;
            continue;
        }
        let length = usize::try_from(length).ok()?;
        let value = tail.get(..length)?;
        if tag == 2 << 3 | 2 {
            return (!value.is_empty()).then(|| value.to_vec());
        }
        rest = tail.get(length..)?;
    }
    None
}

fn push_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at).min(63);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_length_delimited() {
        let text = "x".repeat(200);
        let message = sign_arguments("sha256", &text, "k");
        assert_eq!(&message[..8], b"\x0a\x06sha256");
        assert_eq!(&message[8..11], [0x1a, 0xc8, 0x01]);
        assert_eq!(&message[message.len() - 3..], b"\x22\x01k");
    }

    #[test]
    fn the_signature_is_found_behind_other_fields() {
        assert_eq!(signature(&[0x08, 1, 0x12, 2, 7, 8]), Some(vec![7, 8]));
        assert_eq!(signature(&[0x0a, 1, 9, 0x12, 1, 7]), Some(vec![7]));
        for broken in [&[][..], &[0x12], &[0x12, 9, 1], &[0x12, 0], &[0xff; 12]] {
            assert_eq!(signature(broken), None, "{broken:?}");
        }
    }
}
