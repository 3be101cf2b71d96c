//! Retries within a budget, alone in one module.

ferromesh_guest::module!(ferromesh_guest::Features::RETRY);
