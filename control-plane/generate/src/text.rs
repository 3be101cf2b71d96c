//! Texts: mostly what people write, sometimes what they should not.

use crate::Draw;

/// Paths, also as prefixes.
pub const PATHS: &[&str] = &[
    "/",
    "/a",
    "/a/",
    "/ab",
    "/a/b",
    "/a/b/",
    "/red",
    "/redder",
    "/red/tell",
    "/api/v1/",
    "/api/v2",
    "/%61",
    "/a%2Fb",
    "/a.b",
    "/A",
    "/x~y",
    "/a;b=c",
    "/a,b",
    "/é",
    "/a+b",
    "/a\\b",
    "/$1",
    "/a*",
    "/(a)",
    "/[",
    "/a=b&c",
    "/a:b@c",
    "/a!b'c",
];
/// Paths that cannot occur in a request, or mean something else there.
pub const ODD_PATHS: &[&str] = &[
    "", "//", "/a b", "/a?b", "/a#b", "a", "/../a", "/\t", "/\u{0}", "/a//b", "/a/./b", "*",
];
/// Expressions that RE2 and our engine read alike.
pub const EXPRESSIONS: &[&str] = &[
    "/a.*",
    "/[a-z]+",
    "/(a|b)/.*",
    "/v[0-9]{1,3}/x",
    ".*",
    "/a",
    "",
    "/red.*",
    "^/a$",
    "/a(b)?",
    "[^/]*",
    "/\\d+",
    "/\\w+/b",
    "/(?i)a",
    "/a{2,5}",
    "a+",
    "(?:x|y)*",
    "\\/a\\/",
    "/a\\.b",
    "/[[:alpha:]]+",
    "/\\pL+",
    "/.{0,20}",
    "/é.*",
    "(?s).*",
    "/a|/b",
];
/// Expressions that RE2 refuses, that are too large, or that our engine reads in another way.
pub const ODD_EXPRESSIONS: &[&str] = &[
    "(",
    "[",
    "*",
    "/a{1001}",
    "/(a{100}){100}",
    "(?=a)",
    "(?!a)",
    "\\1",
    "(?P<n>a)",
    "(?<n>a)",
    "[a-",
    "a**",
    "x{2}{3}",
    "\\Qa.b\\E",
    "\\C",
    "/[\\p{L}\\p{N}]{1,255}",
    "(?x)a b",
    "\\x{41}",
    "\\u0041",
    "[[:word:]]",
    "\\h",
    "[a&&b]",
    "[a--b]",
    "[a~~b]",
    "\\b{start}a",
    "a{,5}",
    "{",
    "a{",
    "a{1",
    "(?u)a",
    "(?R)a",
    "\\z",
    "\\Z",
    "\\A/a",
    "(?-u)\\xff",
    "(?-u:\\xff)",
    "(?U)a+",
    "[]a]",
    "[^]a]",
    "\\<a\\>",
    "(a",
    "a)",
    "\u{0}",
    "\\pX",
    "\\p{Greek}",
    "\\p{sc=Greek}",
    "\\p{Script=Greek}",
    "\\p{Alphabetic}",
    "(.{0,100}){0,9}",
    "\\d{1000}",
    "((a?){30}){30}",
    "[\u{10000}-\u{10ffff}]{50}",
    "(?m)^a$",
    "\\x",
    "\\07",
    "\\123",
    "\\e",
    "\\cA",
    "\\K",
];
/// Names of headers.
pub const HEADERS: &[&str] = &[
    "x-v",
    "x-user",
    "X-Upper",
    "cookie",
    "user-agent",
    "x_under",
    "x.dot",
    "host",
    ":authority",
    ":path",
    ":method",
    ":scheme",
    "content-type",
    "x-a",
    "x-b",
    "accept",
    "te",
    "x-forwarded-proto",
    "x-request-id",
    "authorization",
];
/// Names that no header has.
pub const ODD_HEADERS: &[&str] = &[
    "",
    "x v",
    "x:v",
    "é",
    "x\n",
    ":",
    "::a",
    "x\u{0}",
    "(x)",
    "a/b",
    ":status",
    ":protocol",
];
/// Values of headers.
pub const VALUES: &[&str] = &[
    "1",
    "7",
    "-3",
    "abc",
    "a",
    "A",
    "blue",
    "x,y",
    "a b",
    "é",
    "\"q\"",
    "100%",
    "%REQ(a)%",
    "0",
    "+5",
    "application/grpc",
];
/// Values that no header has.
pub const ODD_VALUES: &[&str] = &["", " a", "a ", "a\nb", "a\r\nb: c", "\u{0}", "\t", "\u{7f}", "\u{1}"];
/// Host names.
pub const HOSTS: &[&str] = &[
    "a.local",
    "b.local",
    "color.example.com",
    "example.com",
    "UPPER.example.com",
    "127.0.0.1",
    "a",
    "xn--e1afmkfd.example",
    "a_b.local",
];
/// Names that are no hosts.
pub const ODD_HOSTS: &[&str] = &[
    "",
    "*",
    "*.example.com",
    "a.*",
    "a b",
    "é.local",
    "a:80",
    "[::1]",
    "::1",
    ".",
    "a..b",
    "a\nb",
    "-",
    "host.",
    "a/b",
    "\u{0}",
    "%",
    "a,b",
];
/// Names of resources.
pub const NAMES: &[&str] = &["blue", "green", "Red-1", "a_b", "a.b", "x", "front", "node"];
/// Names that are allowed and hurt.
pub const ODD_NAMES: &[&str] = &[
    "é", "a:b", "{x}", "%REQ(a)%", "a,b", "\"", "'", "\\", "a#b", "<b>", "*", "a?b", "$", "~", "a|b", "a@b", "🦀",
    "a;b",
];

/// Mostly one of `usual`, in `percent` of a hundred one of `odd`.
pub fn mostly(draw: &mut Draw, usual: &[&str], odd: &[&str], percent: u64) -> String {
    if draw.chance(percent) {
        draw.text(odd)
    } else {
        draw.text(usual)
    }
}

/// A text of a length near a limit.
pub fn long(draw: &mut Draw, start: &str, limit: usize) -> String {
    let length = draw.between(limit.saturating_sub(1), limit + 1);
    let mut text = start.to_owned();
    while text.chars().count() < length {
        text.push(char::from(b'a' + u8::try_from(text.len() % 26).unwrap_or_default()));
    }
    text
}
