//! The protobufs in its columns: bytes, numbers and maps of them, by the number of the field.

/// A field.
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message in their order; `None` where it is none.
pub(super) fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Value<'_>)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Value::Bytes(value)
            }
            _ => return None,
        };
        found.push((tag >> 3, value));
    }
    Some(found)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Adds a number.
pub(super) fn put_number(to: &mut Vec<u8>, field: u64, value: u64) {
    if value != 0 {
        put_varint(to, field << 3);
        put_varint(to, value);
    }
}

/// Adds bytes.
pub(super) fn put_bytes(to: &mut Vec<u8>, field: u64, value: &[u8]) {
    put_varint(to, field << 3 | 2);
    put_varint(to, value.len() as u64);
    to.extend_from_slice(value);
}

fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    to.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_there_and_back() {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, 1, b"key");
        put_number(&mut bytes, 3, 1_700_000_000);
        let read = fields(&bytes).unwrap();
        assert!(matches!(read[0], (1, Value::Bytes(b"key"))));
        assert!(matches!(read[1], (3, Value::Number(1_700_000_000))));
        for cut in 1..bytes.len() {
            // Never a panic; a cut between fields is a shorter message.
            let _ = fields(&bytes[..cut]);
        }
        assert!(fields(&[0xff; 20]).is_none());
    }
}
