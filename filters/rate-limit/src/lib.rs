//! How many requests a route admits: token buckets and sliding windows, exact across workers.

ferromesh_guest::module!(ferromesh_guest::Features::RATE_LIMIT);
