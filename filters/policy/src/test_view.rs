//! A stream for unit tests: its headers and properties, and a record of what was read.

use std::cell::RefCell;

use crate::{Property, View};

#[derive(Debug, Default)]
pub(crate) struct TestView {
    headers: Vec<(&'static str, Vec<u8>)>,
    properties: Vec<(Property, Vec<u8>)>,
    reads: RefCell<Vec<String>>,
}

impl TestView {
    /// One more header, of the request and of the response.
    pub(crate) fn header(mut self, name: &'static str, value: &[u8]) -> Self {
        self.headers.push((name, value.to_vec()));
        self
    }

    /// One more property.
    pub(crate) fn with(mut self, property: Property, value: &[u8]) -> Self {
        self.properties.push((property, value.to_vec()));
        self
    }

    /// What was read so far, in order.
    pub(crate) fn reads(&self) -> Vec<String> {
        self.reads.borrow().clone()
    }
}

impl View for TestView {
    type Value<'a> = &'a [u8];

    fn request_header(&self, name: &str) -> Option<&[u8]> {
        self.reads.borrow_mut().push(name.to_owned());
        let found = self.headers.iter().find(|(header, _)| *header == name);
        found.map(|(_, value)| value.as_slice())
    }

    fn response_header(&self, name: &str) -> Option<&[u8]> {
        self.request_header(name)
    }

    fn property(&self, property: Property) -> Option<&[u8]> {
        self.reads.borrow_mut().push(format!("{property:?}"));
        let found = self.properties.iter().find(|(name, _)| *name == property);
        found.map(|(_, value)| value.as_slice())
    }
}
