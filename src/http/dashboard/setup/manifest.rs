//! What GitHub is asked to make of the App: `app-manifest.yml` with this service's own address.

use anyhow::Context as _;
use serde_json::{Value, json};

/// The App's permissions and events, each with its reason.
const MANIFEST: &str = include_str!("../../../../app-manifest.yml");

/// How this service is reached.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// By browsers and by GitHub, without a slash at its end.
    pub public: &'a str,
    /// Where GitHub sends the browser with the code.
    pub redirect: &'a str,
    /// Whether GitHub can reach the public address: otherwise it sends nothing.
    pub is_reachable: bool,
}

/// The manifest as GitHub's form takes it.
pub fn manifest(addresses: Addresses<'_>) -> anyhow::Result<Value> {
    let Addresses { public, redirect, is_reachable } = addresses;
    let mut manifest: Value =
        serde_saphyr::from_str(MANIFEST).context("reading app-manifest.yml")?;
    manifest["url"] = json!(public);
    manifest["hook_attributes"] =
        json!({"url": format!("{public}/hooks/github"), "active": is_reachable});
    manifest["redirect_url"] = json!(redirect);
    // Where people come back to who sign in to the dashboard.
    manifest["callback_urls"] = json!([format!("{public}/sign-in/back")]);
    // Whoever has installed the App is shown what is still missing.
    manifest["setup_url"] = json!(format!("{public}/doctor"));
    manifest["setup_on_update"] = json!(true);
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_the_service_s_own() {
        let addresses = Addresses {
            public: "https://towpath.acme.example",
            redirect: "http://127.0.0.1:9/setup/registered",
            is_reachable: true,
        };
        let manifest = manifest(addresses).unwrap();
        assert!(!manifest.to_string().contains("towpath.example.com"), "{manifest:#}");
        assert_eq!(manifest["hook_attributes"]["url"], "https://towpath.acme.example/hooks/github");
        assert_eq!(manifest["default_permissions"]["contents"], "write");
    }
}
