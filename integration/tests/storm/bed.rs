//! A control plane with a mesh of many proxies, and what is looked at while a storm goes over it.

use std::{
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use ferromesh_integration::{
    meter,
    rig::{Modules, Rig},
};
use ferromesh_xds_load::{
    fleet::{Fleet, Order},
    mesh::{self, Mesh},
    proxy::Variant,
    stamp::Stamp,
    way::Way,
};
use reqwest::Method;

/// Resident memory that a control plane may have in a storm.
pub const MOST_MEMORY_KB: u64 = 512 * 1024;

/// A control plane with a mesh.
pub async fn start(mesh: &Mesh, arguments: Vec<String>) -> Rig {
    meter::allow_descriptors(4096).expect("descriptors");
    let rig = Rig::start_as(Modules::Built, arguments, None)
        .await
        .expect("a control plane");
    for (path, body) in mesh.puts() {
        rig.accepted(Method::PUT, &path, &body)
            .await
            .expect("a part of the mesh");
    }
    rig
}

/// Proxies of the mesh that come again for as long as it takes, and note whatever comes again or goes back.
pub fn proxies(rig: &Rig, count: usize, variant: Variant) -> Fleet {
    let order = Order {
        attempts: u32::MAX,
        keeps_journal: true,
        ..Order::of(Way::plain(rig.address()), &Mesh::nodes(), count, variant)
    };
    Fleet::launch(&order)
}

/// Changes a service's route, and gives the moment that the change carries.
pub async fn change(rig: &Rig, service: usize) -> Stamp {
    let stamp = Stamp::now();
    let (path, body) = mesh::stamped_route(service, stamp);
    rig.accepted(Method::PUT, &path, &body).await.expect("a change");
    stamp
}

/// Waits until so many proxies have a change; how many have it in the end.
pub async fn delivered(fleets: &[&Fleet], change: Stamp, count: usize, patience: Duration) -> usize {
    let until = Instant::now() + patience;
    loop {
        let have = fleets.iter().map(|fleet| fleet.tally.deliveries(change)).sum();
        if have >= count || Instant::now() > until {
            return have;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The value below which this share of sorted ones lie.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1) as f64 * share).ceil() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// The process id of the control plane.
pub fn id(rig: &mut Rig) -> u32 {
    rig.control_plane().expect("a control plane").id()
}

/// Looks at a process's memory, and ends it when it takes so much that the machine would suffer.
pub struct Guard {
    is_over: Arc<AtomicBool>,
    most_kb: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Beyond this the process is ended: the test has failed anyway.
const INTOLERABLE_KB: u64 = 3 * 1024 * 1024;

impl Guard {
    /// Guards a process. On a thread of its own, which no storm keeps from looking.
    pub fn over(process: u32) -> Self {
        let (is_over, most_kb) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (over, most) = (Arc::clone(&is_over), Arc::clone(&most_kb));
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let Ok(kb) = meter::rss_kb(process) else { return };
                most.fetch_max(kb, Ordering::Relaxed);
                if kb > INTOLERABLE_KB {
                    if let Some(process) = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw) {
                        let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
                    }
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self {
            is_over,
            most_kb,
            thread: Some(thread),
        }
    }

    /// The most that was seen, in kB.
    pub fn end(mut self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.most_kb.load(Ordering::Relaxed)
    }
}
