//! Headers as a filter sees them: an ordered list of names and values, both any bytes.

use std::fmt;

/// An ordered list of headers. Names are kept in lower case, as Envoy does; a name may come more than once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A list of pairs in the ABI's form that does not hold together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pairs of headers: {0}")]
pub struct InvalidPairs(&'static str);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The first value of a name, whatever its case: what a filter's read gives.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// All values of a name, in order.
    pub fn get_all(&self, name: impl AsRef<[u8]>) -> impl Iterator<Item = &[u8]> {
        let name = name.as_ref().to_ascii_lowercase();
        self.pairs
            .iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| value.as_slice())
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// Appends a header.
    pub fn add(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.pairs
            .push((name.as_ref().to_ascii_lowercase(), value.as_ref().to_vec()));
    }

    /// Puts one value in the place of all that the name has; appends if it has none.
    pub fn replace(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let name = name.as_ref().to_ascii_lowercase();
        let mut value = Some(value.as_ref().to_vec());
        self.pairs.retain_mut(|(other, old)| {
            if *other != name {
                return true;
            }
            match value.take() {
                Some(new) => {
                    *old = new;
                    true
                }
                None => false,
            }
        });
        if let Some(value) = value {
            self.pairs.push((name, value));
        }
    }

    /// Removes all headers of a name.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) {
        let name = name.as_ref().to_ascii_lowercase();
        self.pairs.retain(|(other, _)| *other != name);
    }

    /// The size of all names and values, in bytes.
    pub(crate) fn byte_size(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The ABI's form: the number of pairs, the lengths of each name and value, then the bytes, each
    /// followed by a zero. No pairs are no bytes.
    pub(crate) fn to_pairs(&self) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut bytes = Vec::with_capacity(4 + self.len() * 10 + self.byte_size());
        bytes.extend((self.len() as u32).to_le_bytes());
        for (name, value) in self.iter() {
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend((value.len() as u32).to_le_bytes());
        }
        for (name, value) in self.iter() {
            for part in [name, value] {
                bytes.extend(part);
                bytes.push(0);
            }
        }
        bytes
    }

    /// Reads the ABI's form, strictly: nothing may be missing or left over.
    pub(crate) fn from_pairs(bytes: &[u8]) -> Result<Self, InvalidPairs> {
        if bytes.is_empty() {
            return Ok(Self::new());
        }
        let mut rest = bytes;
        let count = number(&mut rest)?;
        // Each pair takes two lengths and two zeros, so a made-up count reserves no memory.
        if count > rest.len() / 10 {
            return Err(InvalidPairs("the number of pairs is greater than its bytes allow"));
        }
        let mut lengths = Vec::with_capacity(count);
        for _ in 0..count {
            lengths.push((number(&mut rest)?, number(&mut rest)?));
        }
        let mut headers = Self::new();
        for (name, value) in lengths {
            let name = part(&mut rest, name)?;
            let value = part(&mut rest, value)?;
            headers.add(name, value);
        }
        if !rest.is_empty() {
            return Err(InvalidPairs("bytes are left after the last pair"));
        }
        Ok(headers)
    }
}

fn number(rest: &mut &[u8]) -> Result<usize, InvalidPairs> {
    let (number, after) = rest
        .split_first_chunk::<4>()
        .ok_or(InvalidPairs("they end inside of a length"))?;
    *rest = after;
    Ok(u32::from_le_bytes(*number) as usize)
}

fn part<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], InvalidPairs> {
    let (part, after) = rest
        .split_at_checked(length)
        .ok_or(InvalidPairs("they end inside of a name or value"))?;
    let (zero, after) = after
        .split_first()
        .ok_or(InvalidPairs("a zero is missing after a name or value"))?;
    if *zero != 0 {
        return Err(InvalidPairs("a zero is missing after a name or value"));
    }
    *rest = after;
    Ok(part)
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in pairs {
            headers.add(name, value);
        }
        headers
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>, const COUNT: usize> From<[(N, V); COUNT]> for Headers {
    fn from(pairs: [(N, V); COUNT]) -> Self {
        pairs.into_iter().collect()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(
                self.iter()
                    .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii())),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_keep_order_repetition_and_every_byte() {
        let headers = Headers::from([(&b"a"[..], &b"1\0\xff"[..]), (b"b", b""), (b"A", b"2"), (b"\xfe", b"3")]);
        let back = Headers::from_pairs(&headers.to_pairs()).unwrap();
        assert_eq!(back, headers);
        assert_eq!(back.get_all("a").collect::<Vec<_>>(), [&b"1\0\xff"[..], b"2"]);
        assert_eq!(Headers::from_pairs(&[]).unwrap(), Headers::new());
        assert_eq!(Headers::new().to_pairs(), []);
    }

    #[test]
    fn refuses_every_cut_and_every_addition() {
        let bytes = Headers::from([("name", "value"), ("n", "")]).to_pairs();
        for end in 1..bytes.len() {
            assert!(Headers::from_pairs(&bytes[..end]).is_err(), "cut at {end}");
        }
        assert!(Headers::from_pairs(&[&bytes[..], b"x"].concat()).is_err());
        assert!(Headers::from_pairs(&u32::MAX.to_le_bytes()).is_err());
    }

    #[test]
    fn replacing_leaves_one_value_at_the_first_place() {
        let mut headers = Headers::from([("a", "1"), ("b", "2"), ("A", "3")]);
        headers.replace("a", "4");
        headers.replace("c", "5");
        assert_eq!(headers, Headers::from([("a", "4"), ("b", "2"), ("c", "5")]));
        headers.remove("B");
        assert_eq!(headers, Headers::from([("a", "4"), ("c", "5")]));
    }
}
