//! Numbers that people write in two ways, of which WhatsApp knows one.
//!
//! Some countries changed how mobile numbers are written, and an account keeps the form under which it
//! was made: Brazil added a 9 after the area code, Mexico dropped the 1 after its country code, and
//! Argentina writes a 9 there.

/// The other way in which a number (digits, international) is written, where there is one.
#[must_use]
pub fn variant(number: &str) -> Option<String> {
    brazil(number)
        .or_else(|| marked(number, "52", '1'))
        .or_else(|| marked(number, "54", '9'))
}

/// `55`, an area code of two digits, then eight digits, of mobiles nine with a 9 first.
fn brazil(number: &str) -> Option<String> {
    let rest = number.strip_prefix("55")?;
    let (area, local) = rest.split_at_checked(2)?;
    match (local.len(), local.as_bytes().first()?) {
        (9, b'9') => Some(format!("55{area}{}", &local[1..])),
        // Only mobiles were given a 9: their numbers began with 6 to 9.
        (8, b'6'..=b'9') => Some(format!("55{area}9{local}")),
        _ => None,
    }
}

/// Ten digits after the country code, with or without a mark before them.
fn marked(number: &str, country: &str, mark: char) -> Option<String> {
    let rest = number.strip_prefix(country)?;
    match rest.strip_prefix(mark) {
        Some(local) if local.len() == 10 => Some(format!("{country}{local}")),
        _ if rest.len() == 10 => Some(format!("{country}{mark}{rest}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_variant_name_each_other() {
        for (one, other) in [
            ("5511987654321", "551187654321"),
            ("5215512345678", "525512345678"),
            ("5491112345678", "541112345678"),
        ] {
            assert_eq!(variant(one).as_deref(), Some(other));
            assert_eq!(variant(other).as_deref(), Some(one));
        }
    }

    #[test]
    fn most_numbers_are_written_in_one_way() {
        // A landline in Brazil, the United States, Indonesia, and what is too short.
        for number in [
            "551133334444",
            "15550000001",
            "6281234567890",
            "55",
            "52",
            "",
        ] {
            assert_eq!(variant(number), None, "{number}");
        }
    }
}
