//! The service of a world, in a runtime of its own: so that it can crash.

use std::net::SocketAddr;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use towpath::cli::service::{Service, Surroundings};
use towpath::github::GitHub;
use towpath::intake::lost::LostDeliveries;
use towpath::lifecycle::{Drained, Lifecycle};
use towpath::source::Keeper;
use towpath::store::Store;
use towpath::worker::{Sweep, Worker};

use super::{World, memory};

/// How long a stop may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service that runs.
pub(super) struct Running {
    pub(super) store: Store,
    pub(super) worker: Worker,
    pub(super) sweep: Sweep,
    pub(super) lost_deliveries: LostDeliveries<GitHub>,
    pub(super) keeper: Keeper,
    lifecycle: Lifecycle,
    runtime: OwnRuntime,
}

/// A runtime that may be dropped where another one runs.
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

impl World {
    /// Starts the service on the world's database.
    pub(crate) async fn start_service(&mut self) {
        self.try_to_start().await.unwrap();
    }

    /// The same where it may not start. The error is what it says then.
    pub(crate) async fn try_to_start(&mut self) -> Result<(), String> {
        assert!(self.running.is_none(), "the service runs already");
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let lifecycle = Lifecycle::new();
        let (settings, templates) = (self.settings.clone(), self.templates.clone());
        let (clock, by_hand, given) = (self.clock.clone(), self.by_hand, lifecycle.clone());
        let starting = runtime.spawn(async move {
            let listener = listen(settings.listen).await;
            let metrics = PrometheusBuilder::new().build_recorder().handle();
            let surroundings = Surroundings { listener, clock, lifecycle: given, metrics };
            let tasks = surroundings.lifecycle.clone();
            let service = Service::receive(&settings, templates, surroundings).await?;
            // A story says itself when silent runs are looked at.
            if !by_hand {
                tasks.spawn(service.worker.clone().run(tasks.token()));
            }
            anyhow::Ok(service)
        });
        let runtime = OwnRuntime(Some(runtime));
        let started = starting.await.unwrap().map_err(|error| format!("{error:#}"))?;
        let Service { store, worker, sweep, lost_deliveries, keeper, .. } = started;
        self.running = Some(Box::new(Running {
            store,
            worker,
            sweep,
            lost_deliveries,
            keeper,
            lifecycle,
            runtime,
        }));
        Ok(())
    }

    /// The database is lost. The service does not run.
    pub(crate) fn empty_the_database(&mut self) {
        assert!(self.running.is_none(), "the service runs");
        self.settings.database_url = memory::new_database(self.folder.path()).into();
    }

    /// The service ends in the middle of what it does.
    pub(crate) async fn crash(&mut self) {
        drop(self.running.take().expect("it runs"));
        self.contracts.restarted().await;
    }

    /// The service ends in order.
    pub(crate) async fn stop(&mut self) {
        let Running { store, worker, lost_deliveries, keeper, lifecycle, runtime, .. } =
            *self.running.take().expect("it runs");
        lifecycle.stop();
        assert_eq!(lifecycle.drain(PATIENCE).await, Drained::Complete);
        drop((worker, lost_deliveries, keeper));
        store.close().await;
        drop(runtime);
        self.contracts.restarted().await;
    }
}

/// An address that nobody listens on now.
pub(super) fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The one before may not have let go of the address yet.
async fn listen(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}
