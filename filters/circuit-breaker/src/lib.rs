//! When a target that fails or is slow gets no more requests for a while.

ferromesh_guest::module!(ferromesh_guest::Features::CIRCUIT_BREAKER);
