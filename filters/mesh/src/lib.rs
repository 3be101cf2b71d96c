//! The fused module that the control plane distributes: all features, one crossing for each phase.

ferromesh_guest::module!(ferromesh_guest::Features::MESH);
