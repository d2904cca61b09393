//! A number as letters: the coding of Sqids (sqids.org) for one number, which a test holds against their
//! library. A list shows hundreds of these, and the library makes its tables anew for each; here they are
//! made by the compiler.

/// Our own order of the letters, fixed for ever: ids that scripts keep must not change.
const LETTERS: &[u8; COUNT] = b"RkWvZeFSaXgpAmJEOLoHyNtTjQwuVGbCKdMnsBxfiYqrcDhUlPIz";
const COUNT: usize = 52;
const LENGTH_MIN: usize = 6;
const LENGTH_MAX: usize = 16;
/// Words that stand where an id stands in a route.
const ROUTE_WORDS: [&[u8]; 2] = [b"contents", b"metadata"];

const ALPHABET: [u8; COUNT] = shuffled(*LETTERS);
const PLACES: [u8; 128] = places();
static RINGS: [Ring; COUNT] = rings();

/// What an id is written with that begins with one letter.
struct Ring {
    /// First what ends the number, where padding follows it, and then the digits.
    digits: [u8; COUNT],
    padding: [u8; COUNT],
}

/// The letters of a number, at least six; never with a route's word in them.
pub(super) fn encode(number: u64) -> String {
    let first = usize::from(ALPHABET[remainder(number, COUNT)]) + 1;
    for attempt in first..=first + COUNT {
        let mut text = [0; LENGTH_MAX];
        let text = write(number, attempt % COUNT, &mut text);
        if !has_route_word(text) {
            return text.iter().copied().map(char::from).collect();
        }
    }
    unreachable!("two words do not block a number behind each of 52 letters")
}

/// The number that [`encode`] would write so; a text that it never writes may be read, too.
pub(super) fn decode(text: &str) -> Option<u64> {
    if !(LENGTH_MIN..=LENGTH_MAX).contains(&text.len()) {
        return None;
    }
    let mut places = text.bytes().map(place);
    let first = places.next()??;
    let mut number = 0_u64;
    for place in places {
        let digit = (first + 2 * COUNT - 1 - place?) % COUNT;
        if digit == 0 {
            break;
        }
        number = number.checked_mul(COUNT as u64 - 1)?.checked_add(digit as u64 - 1)?;
    }
    Some(number)
}

fn write(number: u64, first: usize, text: &mut [u8; LENGTH_MAX]) -> &[u8] {
    let Ring { digits, padding } = &RINGS[first];
    let mut reversed = [0; LENGTH_MAX];
    let (mut count, mut left) = (0, number);
    while left > 0 || count == 0 {
        reversed[count] = digits[1 + remainder(left, COUNT - 1)];
        left /= COUNT as u64 - 1;
        count += 1;
    }
    text[0] = ALPHABET[first];
    for (at, digit) in reversed[..count].iter().rev().enumerate() {
        text[1 + at] = *digit;
    }
    let mut len = 1 + count;
    if len < LENGTH_MIN {
        text[len] = digits[0];
        text[len + 1..LENGTH_MIN].copy_from_slice(&padding[..LENGTH_MIN - len - 1]);
        len = LENGTH_MIN;
    }
    &text[..len]
}

fn has_route_word(text: &[u8]) -> bool {
    ROUTE_WORDS
        .iter()
        .any(|word| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

fn remainder(number: u64, of: usize) -> usize {
    usize::try_from(number % of as u64).expect("less than a usize")
}

fn place(letter: u8) -> Option<usize> {
    let place = *PLACES.get(usize::from(letter))?;
    (usize::from(place) < COUNT).then_some(place.into())
}

const fn places() -> [u8; 128] {
    let mut places = [u8::MAX; 128];
    let mut at = 0;
    while at < COUNT {
        places[ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    places
}

const fn rings() -> [Ring; COUNT] {
    let mut rings = [const { Ring { digits: [0; COUNT], padding: [0; COUNT] } }; COUNT];
    let mut first = 0;
    while first < COUNT {
        let mut at = 0;
        while at < COUNT {
            rings[first].digits[at] = ALPHABET[(first + COUNT - 1 - at) % COUNT];
            at += 1;
        }
        rings[first].padding = shuffled(rings[first].digits);
        first += 1;
    }
    rings
}

const fn shuffled(mut letters: [u8; COUNT]) -> [u8; COUNT] {
    let mut at = 0;
    while at < COUNT - 1 {
        let from_end = COUNT - 1 - at;
        let with = (at * from_end + letters[at] as usize + letters[from_end] as usize) % COUNT;
        letters.swap(at, with);
        at += 1;
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sqids::Sqids;

    fn library() -> Sqids {
        let words = ROUTE_WORDS.map(|word| String::from_utf8(word.to_vec()).unwrap());
        let letters = LETTERS.iter().copied().map(char::from).collect();
        let builder = Sqids::builder().alphabet(letters).min_length(LENGTH_MIN as u8);
        builder.blocklist(words.into()).build().unwrap()
    }

    #[test]
    fn small_numbers_are_written_as_the_library_writes_them() {
        let library = library();
        for number in 0..10_000 {
            let text = encode(number);
            assert_eq!(text, library.encode(&[number]).unwrap(), "{number}");
            assert_eq!(decode(&text), Some(number));
        }
    }

    #[test]
    fn a_number_whose_letters_hold_a_route_is_written_in_other_letters() {
        let (library, mut blocked) = (library(), 0);
        for word in ["contents", "metadata"] {
            for begin in ALPHABET.map(char::from) {
                let number = decode(&format!("{begin}{word}")).unwrap();
                let first = usize::from(ALPHABET[remainder(number, COUNT)]) + 1;
                let mut text = [0; LENGTH_MAX];
                blocked += usize::from(has_route_word(write(number, first % COUNT, &mut text)));
                assert_eq!(encode(number), library.encode(&[number]).unwrap());
            }
        }
        assert!(blocked > 0);
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_the_library_writes_them(number: u64) {
            let number = number >> (number % 64);
            let text = encode(number);
            prop_assert_eq!(&text, &library().encode(&[number]).unwrap());
            prop_assert_eq!(decode(&text), Some(number));
        }
    }
}
