//! Trace context, response headers and metrics, alone in one module.

ferromesh_guest::module!(ferromesh_guest::Features::OBSERVABILITY);
