//! What is around GitHub: templates, portal, Kafka, database.

use std::time::Duration;

use tokio::net::TcpStream;

use super::Patient;
use crate::domain::Finding;
use crate::portal::Port;
use crate::portal::definition::Definition;
use crate::template::Templates;

/// How long a broker may take to be reached.
const CONNECT: Duration = Duration::from_secs(5);

/// The templates, which could be read.
pub(super) fn templates(templates: &Templates) -> Finding {
    match templates.iter().count() {
        0 => Finding::warning(
            "Templates",
            "There are none: only messages that name a workflow can be run.",
            "Start one with `towpath new`, and set TOWPATH_TEMPLATES.",
        ),
        number => Finding::good("Templates", format!("{number} without a mistake.")),
    }
}

/// Whether the portal lets us in, and knows the actions.
pub(super) async fn portal(patient: &Patient) -> Vec<Finding> {
    match &patient.portal {
        Ok(None) => vec![Finding::good("Portal", "The embedded portal is used.")],
        Ok(Some(port)) => actions(port, patient).await,
        Err(reason) => vec![Finding::bad("Portal", reason, "Mend that setting.")],
    }
}

async fn actions(port: &Port, patient: &Patient) -> Vec<Finding> {
    // Any question shows whether one is let in; one is asked even where there are no actions.
    if let Err(error) = port.definition(Definition::Blueprint, "service").await {
        let remedy = "Check PORT_CLIENT_ID, PORT_CLIENT_SECRET and PORT_API_URL.";
        return vec![Finding::bad("Portal", format!("Port: {error}."), remedy)];
    }
    let mut missing = Vec::new();
    for template in patient.templates.iter().flat_map(Templates::iter) {
        for action in &template.actions {
            let id = action.id.as_str();
            if let Ok(None) = port.definition(Definition::Action, id).await {
                missing.push(id.to_owned());
            }
        }
    }
    if missing.is_empty() {
        return vec![Finding::good("Portal", "Port lets us in, and has every action.")];
    }
    let says = format!("Port has no action {}.", missing.join(", "));
    vec![Finding::warning("Portal", says, "`towpath portal sync` writes them.")]
}

/// Whether each broker is reached, where Kafka is a way in.
pub(super) async fn kafka(patient: &Patient) -> Vec<Finding> {
    let Some(settings) = &patient.kafka else { return Vec::new() };
    let brokers = match (&settings.brokers, &patient.portal) {
        (Some(brokers), _) => brokers.split(',').map(|it| it.trim().to_owned()).collect(),
        (None, Ok(Some(port))) => match port.kafka_credentials().await {
            Ok(known) => known.brokers,
            Err(error) => {
                let remedy = "Port's support enables Kafka for an organisation.";
                return vec![Finding::bad("Kafka", format!("Port: {error}."), remedy)];
            }
        },
        (None, _) => Vec::new(),
    };
    let mut found = Vec::new();
    for broker in &brokers {
        let reached = tokio::time::timeout(CONNECT, TcpStream::connect(broker)).await;
        if !matches!(reached, Ok(Ok(_))) {
            let remedy = "Check KAFKA_BROKERS, and whether this machine may call it.";
            found.push(Finding::bad("Kafka", format!("{broker} is not reached."), remedy));
        }
    }
    if found.is_empty() {
        found.push(Finding::good("Kafka", "Every broker is reached."));
    }
    found
}

/// Whether the database answers.
pub(super) async fn database(patient: &Patient) -> Finding {
    let answer = match &patient.store {
        Ok(store) => store.ping().await.map_err(|error| format!("It does not answer: {error}.")),
        Err(reason) => Err(reason.clone()),
    };
    match answer {
        Ok(()) => Finding::good("Database", "It answers."),
        Err(says) => Finding::bad("Database", says, "Check TOWPATH_DATABASE_URL."),
    }
}
