//! What is set, added and removed on requests and responses.

ferromesh_guest::module!(ferromesh_guest::Features::HEADERS);
