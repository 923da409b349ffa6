//! A button is pressed: the run is made, and its backend is called as Port calls it.

use aes_gcm::aead::consts::U16;
use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, AesGcm, aes::Aes256};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::answer::Refusal;
use super::template::evaluate;
use super::world::{Pending, Run, World, written};
use super::{Options, SandboxPort, Shared, polling};

/// Who presses which button, and what they fill in.
#[derive(Debug, Clone, Default)]
pub struct Trigger {
    /// The action's identifier.
    pub action: String,
    /// What is filled in, in clear.
    pub inputs: Map<String, Value>,
    /// The identifier of the entity that the action runs on.
    pub entity: Option<String>,
    /// The person's e-mail; `somebody@example.com` where none is given.
    pub user: Option<String>,
}

/// What became of calling the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// It answered with this status.
    Answered(u16),
    /// It could not be reached.
    Failed(String),
    /// It was not called: the run waits for an approval or for an agent.
    Waiting,
}

impl SandboxPort {
    /// Presses a button. The run's id, and what its backend answered. The reasons for which Port
    /// refuses to run an action are told in its words.
    pub async fn trigger(&self, trigger: Trigger) -> Result<(String, Delivered), String> {
        let made = create(&mut self.shared.world(), &self.shared.options, trigger, "UI");
        let id = made.map_err(|refusal| refusal.message)?;
        let delivered = deliver(&self.shared, &id).await;
        Ok((id, delivered))
    }

    /// Calls the backend of a run once more, with the same body and a new signature.
    pub async fn deliver_again(&self, run: &str) -> Delivered {
        deliver(&self.shared, run).await
    }
}

/// Makes the run.
pub(super) fn create(
    world: &mut World,
    options: &Options,
    trigger: Trigger,
    source: &'static str,
) -> Result<String, Refusal> {
    let action = world.actions.get(&trigger.action).cloned();
    let action = action.ok_or_else(|| Refusal::not_found("Action", &trigger.action))?;
    let blueprint = action["trigger"]["blueprintIdentifier"].as_str().map(str::to_owned);
    let entity = entity_of(world, blueprint.as_deref(), &action, trigger.entity.as_deref())?;
    let form = &action["trigger"]["userInputs"]["properties"];
    let encrypted = encrypted_inputs(form, &trigger.inputs);
    let mut inputs = trigger.inputs.clone();
    for name in &encrypted {
        let sealed = match form[name]["encryption"]["key"].as_str() {
            Some(key) => encrypt_for(key, &inputs[name])?,
            None => encrypt(&options.client_secret, &inputs[name]),
        };
        inputs[name] = json!(sealed);
    }
    let id = world.id("r");
    let context = json!({
        "inputs": inputs,
        "trigger": trigger_of(world, &trigger, source, &action["trigger"]["operation"]),
        "event": null,
        "entity": entity.clone().unwrap_or(json!({})),
        "action": {
            "identifier": trigger.action, "blueprint": blueprint, "encryptedProperties": encrypted,
        },
        "run": {"id": id},
    });
    let mut payload = evaluate(&action["invocationMethod"], &context);
    if payload["type"] == "WEBHOOK" && payload.get("body").is_none() {
        payload["body"] = v1_message(&action, &context, entity.as_ref(), &payload);
    }
    let needs_approval = !matches!(action["requiredApproval"], Value::Null | Value::Bool(false));
    let now = world.clock.now();
    let run = Run {
        id: id.clone(),
        number: world.number(),
        action: trigger.action,
        blueprint,
        entity: trigger.entity,
        properties: inputs,
        status: if needs_approval { "WAITING_FOR_APPROVAL" } else { "IN_PROGRESS" }.to_owned(),
        label: None,
        links: Vec::new(),
        summary: None,
        external_run_id: None,
        pending: waits_for(&payload),
        payload,
        response: None,
        log: Vec::new(),
        approval: needs_approval.then(String::new),
        source,
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    world.runs.insert(id.clone(), run);
    Ok(id)
}

/// Calls the backend of a run, if it has one that is called.
pub(super) async fn deliver(shared: &Shared, id: &str) -> Delivered {
    let payload = {
        let mut world = shared.world();
        let Some(run) = world.runs.get(id).filter(|run| run.status == "IN_PROGRESS") else {
            return Delivered::Waiting;
        };
        let payload = run.payload.clone();
        if waits_for(&payload).is_some() {
            world.put_run_into_topic(&shared.options.client_secret, id);
            return Delivered::Waiting;
        }
        payload
    };
    let Some(url) = payload["url"].as_str() else {
        return Delivered::Waiting;
    };
    let body = payload["body"].to_string();
    let timestamp = shared.options.clock.now().timestamp();
    let mut request = shared
        .webhooks
        .post(url)
        .header("content-type", "application/json")
        .header("x-port-timestamp", timestamp)
        .header("x-port-signature", signature(&shared.options.client_secret, timestamp, &body));
    for (name, value) in payload["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    match request.body(body).send().await {
        Ok(response) => Delivered::Answered(response.status().as_u16()),
        Err(error) => Delivered::Failed(error.to_string()),
    }
}

/// `X-Port-Signature` of a body.
pub(super) fn signature(secret: &str, timestamp: i64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn entity_of(
    world: &World,
    blueprint: Option<&str>,
    action: &Value,
    identifier: Option<&str>,
) -> Result<Option<Value>, Refusal> {
    let Some(identifier) = identifier else {
        return match action["trigger"]["operation"].as_str() {
            Some("DAY-2" | "DELETE") if blueprint.is_some() => Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "missing_self_service_action_entity",
                "the action runs on an entity, and none is given",
            )),
            _ => Ok(None),
        };
    };
    let entity = world.entity(blueprint.unwrap_or_default(), identifier);
    entity.cloned().map(Some).ok_or_else(|| Refusal::not_found("Entity", identifier))
}

fn trigger_of(world: &World, trigger: &Trigger, source: &str, operation: &Value) -> Value {
    let email = trigger.user.as_deref().unwrap_or("somebody@example.com");
    let first_name = email.split('@').next().unwrap_or(email);
    json!({
        "by": {
            "orgId": "org_sandbox",
            "userId": format!("auth0|{first_name}"),
            "user": {"email": email, "firstName": first_name, "lastName": "", "status": "ACTIVE"},
        },
        "origin": source,
        "at": written(world.clock.now()),
        "operation": operation,
    })
}

/// The message of an action that has no body of its own.
fn v1_message(action: &Value, context: &Value, entity: Option<&Value>, method: &Value) -> Value {
    json!({
        "action": context["action"]["identifier"],
        "resourceType": "run",
        "status": "TRIGGERED",
        "trigger": context["trigger"],
        "context": {
            "entity": entity.map(|entity| entity["identifier"].clone()),
            "blueprint": context["action"]["blueprint"],
            "runId": context["run"]["id"],
        },
        "payload": {
            "entity": entity,
            "action": {
                "identifier": context["action"]["identifier"],
                "title": action["title"],
                "invocationMethod": method,
                "trigger": action["trigger"]["operation"],
            },
            "properties": context["inputs"],
            "censoredProperties": context["action"]["encryptedProperties"],
        },
    })
}

/// For whom a run waits: the execution agent, or an integration.
fn waits_for(payload: &Value) -> Option<Pending> {
    let installation = match payload["type"].as_str()? {
        "INTEGRATION_ACTION" => payload["installationId"].as_str()?,
        "WEBHOOK" if payload["agent"] == json!(true) || payload["agent"] == "true" => {
            polling::AGENT
        }
        _ => return None,
    };
    Some(Pending { installation: installation.to_owned(), claimed_until: None })
}

fn encrypted_inputs(form: &Value, inputs: &Map<String, Value>) -> Vec<String> {
    let is_encrypted = |name: &&String| {
        let encryption = &form[name.as_str()]["encryption"];
        encryption == "aes256-gcm" || encryption["algorithm"] == "client-side"
    };
    inputs.keys().filter(is_encrypted).cloned().collect()
}

/// AES-256-GCM as Port does it: the first 32 bytes of the client secret are the key, a nonce of 16
/// bytes, and base64 of nonce, ciphertext and tag. An object is encrypted as its JSON.
fn encrypt(secret: &str, value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    seal(secret, fastrand::u128(..).to_be_bytes(), &text)
}

/// As the browser does it for `client-side`: a new AES-256 key, wrapped with RSA-OAEP (SHA-256) for
/// the form's public key. Base64 of a nonce of 12 bytes, the wrapped key, ciphertext and tag.
fn encrypt_for(public_key: &str, value: &Value) -> Result<String, Refusal> {
    let wrong = || Refusal::invalid("the encryption's \"key\" is no RSA public key in PEM");
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let der =
        SubjectPublicKeyInfoDer::from_pem_slice(public_key.as_bytes()).map_err(|_| wrong())?;
    let public = PublicEncryptingKey::from_der(&der).map_err(|_| wrong())?;
    let public = OaepPublicEncryptingKey::new(public).map_err(|_| wrong())?;
    let (mut key, mut nonce) = ([0; 32], [0; 12]);
    dryoc::rng::copy_randombytes(&mut key);
    dryoc::rng::copy_randombytes(&mut nonce);
    let mut place = vec![0; public.ciphertext_size()];
    let wrapped = public.encrypt(&OAEP_SHA256_MGF1SHA256, &key, &mut place, None);
    let wrapped = wrapped.map_err(|_| wrong())?;
    let sealed = Aes256Gcm::new(&key.into())
        .encrypt(&nonce.into(), text.as_bytes())
        .expect("a form's input is shorter than the cipher's limit of 64 GiB");
    Ok(STANDARD.encode([nonce.as_slice(), wrapped, &sealed].concat()))
}

fn seal(secret: &str, nonce: [u8; 16], text: &str) -> String {
    let mut key = [0; 32];
    for (byte, from) in key.iter_mut().zip(secret.as_bytes()) {
        *byte = *from;
    }
    let sealed = AesGcm::<Aes256, U16>::new(&key.into())
        .encrypt(&nonce.into(), text.as_bytes())
        .expect("a form's input is shorter than the cipher's limit of 64 GiB");
    STANDARD.encode([nonce.as_slice(), &sealed].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with another library from the algorithms that Port documents.
    const SECRET: &str = "test-client-secret-0123456789abcdefghijklmnopqrstuvwxyz";

    #[test]
    fn a_webhook_is_signed_as_port_signs_it() {
        let body = concat!(
            r#"{"context":{"runId":"r_abc"},"name":"é漢","n":1.0,"#,
            r#""big":12345678901234567890,"url":"https://x/y?a=1&b=<2>"}"#
        );
        assert_eq!(
            signature(SECRET, 1_713_277_889, body),
            "v1,txEbt14MBRygO5rAcnSTWDo3fYw/claDqgF8SY1jPfs="
        );
    }

    #[test]
    fn a_secret_input_is_encrypted_as_port_encrypts_it() {
        let nonce = std::array::from_fn(|index| u8::try_from(index).unwrap());
        assert_eq!(
            seal(SECRET, nonce, "s3cr3t"),
            "AAECAwQFBgcICQoLDA0OD5e9/tqhdGMX6UF3N8KK+nd66s+wqzQ="
        );
    }
}
