//! A Kafka broker for the tests: TLS by an authority of its own, one user with SCRAM-SHA-512, one
//! topic, all in one folder.
//!
//! `towpath-broker FOLDER PORT USER PASSWORD TOPIC PARTITIONS`. Port 0 is any free one. Once clients
//! are taken, one line says where: `localhost:PORT`. Started again in the same folder, it has
//! everything that it had, certificates too. The folder then holds `ca.pem`, by which it is to be
//! trusted, and `stranger.pem`, an authority that has nothing to do with it.
//!
//! The broker speaks no TLS itself, so it listens at a second port that nobody is told of, and what
//! comes to the first is unwrapped and handed on.

mod certificates;
mod session;

use std::env;
use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use rsasl::mechanisms::scram::tools::{derive_keys, hash_password};
use sha2::digest::generic_array::GenericArray;
use sha2::{Digest as _, Sha512};
use tansu_broker::NODE_ID;
use tansu_broker::broker::Broker;
use tansu_broker::coordinator::group::administrator::Controller;
use tansu_sans_io::ScramMechanism;
use tansu_sans_io::create_topics_request::CreatableTopic;
use tansu_storage::{BrokerRegistrationRequest, ScramCredential, Storage as _, StorageContainer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use url::Url;
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CLUSTER: &str = "towpath";
/// As few as the standard allows: a password is tried at every connection.
const ITERATIONS: u32 = 4096;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [folder, port, user, password, topic, partitions] = arguments.as_slice() else {
        return Err("usage: towpath-broker FOLDER PORT USER PASSWORD TOPIC PARTITIONS".into());
    };
    env::set_current_dir(folder)?;
    let acceptor = TlsAcceptor::from(certificates::present_or_made()?);
    let outer = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?)).await?;
    let port = outer.local_addr()?.port();
    let inner = free_port().await?;

    let advertised = Url::parse(&format!("tcp://localhost:{port}"))?;
    let storage = Url::parse("sqlite://./broker.db")?;
    let store = StorageContainer::builder()
        .cluster_id(CLUSTER)
        .node_id(NODE_ID)
        .advertised_listener(advertised.clone())
        .storage(storage.clone())
        .silent(true)
        .build()
        .await?;
    prepare(&store, (user, password), (topic, partitions.parse()?)).await?;
    let broker = Broker::<Controller<StorageContainer>, StorageContainer>::builder()
        .node_id(NODE_ID)
        .cluster_id(CLUSTER)
        .incarnation_id(Uuid::now_v7())
        .advertised_listener(advertised)
        .storage(storage)
        .listener(Url::parse(&format!("tcp://127.0.0.1:{inner}"))?)
        .authentication(true)
        .silent(true)
        .build()
        .await?;
    let broker = tokio::spawn(broker.main(Instant::now()));
    while TcpStream::connect((Ipv4Addr::LOCALHOST, inner)).await.is_err() {
        if broker.is_finished() {
            broker.await??;
            return Err("the broker has ended".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("localhost:{port}");
    loop {
        let (client, _) = outer.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Err(error) = unwrap_and_hand_on(client, &acceptor, inner).await {
                eprintln!("a client: {error}");
            }
        });
    }
}

async fn unwrap_and_hand_on(client: TcpStream, acceptor: &TlsAcceptor, inner: u16) -> Result<()> {
    client.set_nodelay(true)?;
    let mut client = acceptor.accept(client).await?;
    let mut broker = TcpStream::connect((Ipv4Addr::LOCALHOST, inner)).await?;
    broker.set_nodelay(true)?;
    session::let_in(&mut client, &mut broker).await?;
    copy_bidirectional(&mut client, &mut broker).await?;
    Ok(())
}

/// The user and the topic, where they are not there yet.
async fn prepare(
    store: &StorageContainer,
    (user, password): (&str, &str),
    (topic, partitions): (&str, i32),
) -> Result<()> {
    if store.user_scram_credential(user, ScramMechanism::Scram512).await?.is_some() {
        return Ok(());
    }
    store
        .register_broker(BrokerRegistrationRequest {
            broker_id: NODE_ID,
            cluster_id: CLUSTER.to_owned(),
            incarnation_id: Uuid::now_v7(),
            rack: None,
        })
        .await?;
    let topic = CreatableTopic::default()
        .name(topic.to_owned())
        .num_partitions(partitions)
        .replication_factor(1)
        .assignments(Some(Vec::new()))
        .configs(Some(Vec::new()));
    store.create_topic(topic, false).await?;
    let credential = credential(password)?;
    store.upsert_user_scram_credential(user, ScramMechanism::Scram512, credential).await?;
    Ok(())
}

/// What the broker keeps of a password.
fn credential(password: &str) -> Result<ScramCredential> {
    let salt = *Uuid::new_v4().as_bytes();
    let mut salted = GenericArray::default();
    hash_password::<Sha512>(password.as_bytes(), ITERATIONS, &salt, &mut salted);
    let (client_key, server_key) = derive_keys::<Sha512>(&salted);
    Ok(ScramCredential {
        salt: Bytes::copy_from_slice(&salt),
        iterations: ITERATIONS.try_into()?,
        stored_key: Bytes::copy_from_slice(&Sha512::digest(client_key)),
        server_key: Bytes::copy_from_slice(&server_key),
    })
}

async fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?.port())
}
