//! More proxies at a time than a control plane is used to: all come back after kill -9, and hostile clients crowd it. What it may
//! take for that is the issue's: 60 s until all have converged, 2 s for a change, 1 s for the API, 512 MiB.

mod api_load;
mod bed;
mod hostile_clients;
mod return_after_kill;
