//! The fused module for routes that write no response headers: a callback and a read less for each request.

ferromesh_guest::module!(ferromesh_guest::Features::MESH_LEAN, lean);
