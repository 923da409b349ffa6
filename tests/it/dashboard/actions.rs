//! Actions: the form, what is wrong with it, and what is started by it.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use serde_json::json;
use towpath::domain::RunId;
use towpath::domain::action_run::RunKind;
use towpath::plan::Step;

use super::{World, from_here};

/// A browser with its cookie, on a page with a form.
struct Browser<'a> {
    world: &'a World,
    cookie: String,
    form_token: String,
    request: String,
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&field).unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split_once('"').unwrap().0.to_owned()
}

impl<'a> Browser<'a> {
    async fn at(world: &'a World, address: &str) -> Self {
        let answer = world.ask(from_here(address)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{address}");
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
        let cookie = cookie.split_once(';').unwrap().0.to_owned();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let page = String::from_utf8(body.to_vec()).unwrap();
        let (form_token, request) = (hidden(&page, "form_token"), hidden(&page, "request"));
        Self { world, cookie, form_token, request }
    }

    fn form(&self, address: &str, fields: &[(&str, &str)]) -> Request<Body> {
        let own = [("form_token", self.form_token.as_str()), ("request", &self.request)];
        let body = serde_urlencoded(own.iter().chain(fields));
        let mut request = from_here(address);
        *request.method_mut() = axum::http::Method::POST;
        let form = "application/x-www-form-urlencoded".parse().unwrap();
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        request.headers_mut().insert(header::COOKIE, self.cookie.parse().unwrap());
        *request.body_mut() = Body::from(body);
        request
    }

    async fn send(&self, address: &str, fields: &[(&str, &str)]) -> (StatusCode, String, String) {
        self.answer(self.form(address, fields)).await
    }

    async fn answer(&self, request: Request<Body>) -> (StatusCode, String, String) {
        let answer = self.world.ask(request).await;
        let place = answer.headers().get(header::LOCATION);
        let place = place.map(|place| place.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, place, String::from_utf8(body.to_vec()).unwrap())
    }
}

fn serde_urlencoded<'a>(fields: impl Iterator<Item = &'a (&'a str, &'a str)>) -> String {
    let encoded = |text: &str| {
        let bytes = text.bytes().map(|byte| format!("%{byte:02X}"));
        bytes.collect::<String>()
    };
    let pairs = fields.map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

const GOOD: [(&str, &str); 8] = [
    ("in.name", "orders"),
    ("in.size", "4"),
    ("in.class", "large"),
    ("in.zones", "b"),
    ("in.zones", "c"),
    ("in.tags", "team=shop\r\nnote=a=b"),
    ("in.owner.email", "jane@acme.example"),
    ("in.token", "hush-hush"),
];

#[tokio::test]
async fn a_form_asks_for_every_input_in_its_own_way() {
    let world = World::new().await;
    let service = json!({"blueprint": "service", "identifier": "shop", "title": "The shop"});
    world.seed.entity("r_service", service, None).await;
    let page = world.shown("/actions/add_thing").await;
    for expected in [
        "type=\"text\" id=\"field-name\"",
        "maxlength=\"20\"",
        "type=\"number\" id=\"field-size\" name=\"in.size\" value=\"3\" min=\"1\" max=\"9\"",
        "<option value=\"small\" selected>small</option>",
        "name=\"in.backups\" value=\"true\" checked",
        "name=\"in.zones\" value=\"a\" checked",
        "<textarea id=\"field-tags\"",
        "type=\"email\" id=\"field-owner-email\"",
        "type=\"date\" id=\"field-until\"",
        "<option value=\"shop\">The shop</option>",
        "type=\"password\" id=\"field-token\"",
    ] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    assert!(
        !page.contains("in.entity") && !page.contains("name=\"entity\""),
        "a create runs on nothing"
    );
    let delete = world.shown("/actions/delete_thing").await;
    assert!(delete.contains("Which database") && !delete.contains("in.name"), "{delete}");
    assert_eq!(world.page("/actions/other").await.0, StatusCode::NOT_FOUND);
    let list = world.shown("/actions").await;
    assert!(
        list.contains("href=\"/actions/change_thing\"") && list.contains("administrators only")
    );
    for name in [
        "opens a pull request in <a href=\"https://github.com/acme/infrastructure\">",
        "<h2 id=\"template-thing\">",
    ] {
        assert!(list.contains(name), "{name} in {list}");
    }
    assert!(page.contains("<a href=\"/actions#template-thing\">Thing</a>"), "{page}");
}

#[tokio::test]
async fn a_change_begins_with_what_the_entity_has() {
    let world = World::new().await;
    let entity =
        json!({"blueprint": "database", "identifier": "orders", "properties": {"size": 7}});
    world.seed.entity("r_1", entity, None).await;
    let page = world.shown("/actions/change_thing?entity=orders").await;
    assert!(page.contains("name=\"in.size\" value=\"7\""), "{page}");
    assert!(!page.contains("in.name"), "a change takes only the inputs that it lists");
    let entity = world.shown("/catalog/database/orders").await;
    assert!(entity.contains("href=\"/actions/change_thing?entity=orders\""), "{entity}");
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field_and_nothing_is_started() {
    let world = World::new().await;
    let browser = Browser::at(&world, "/actions/add_thing").await;
    let typed = [
        ("in.name", "Or ders"),
        ("in.size", "40"),
        ("in.rules", "[{"),
        ("in.token", "hush-hush"),
        ("do", "start"),
    ];
    let (status, _, page) = browser.send("/actions/add_thing", &typed).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["name", "size", "rules"] {
        assert!(page.contains(&format!("id=\"field-{field}-error\"")), "{field} in {page}");
    }
    let places = ["name", "size", "rules"].map(|field| {
        let place = page.find(&format!("<a href=\"#field-{field}\">"));
        place.unwrap_or_else(|| panic!("{field} in {page}"))
    });
    assert!(places.is_sorted(), "they are named in the order of the form: {page}");
    assert!(page.contains("value=\"Or ders\""), "what was typed stays");
    assert!(!page.contains("hush-hush"), "a secret is never shown again");
    let kept = hidden(&page, "sealed.token");
    let corrected = [("in.name", "orders"), ("sealed.token", kept.as_str()), ("do", "start")];
    let (status, place, page) = browser.send("/actions/add_thing", &corrected).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    assert!(place.starts_with("/runs/r_"), "{place}");
    assert_eq!(world.seed.store.runs(&everything()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_form_that_is_sent_twice_is_one_run_with_what_was_typed() {
    let world = World::new().await;
    let browser = Browser::at(&world, "/actions/add_thing").await;
    let typed: Vec<_> =
        GOOD.into_iter().chain([("do", "start"), ("email", "jane@acme.example")]).collect();
    let (status, place, _) = browser.send("/actions/add_thing", &typed).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(browser.send("/actions/add_thing", &typed).await.1, place);
    let id = RunId::new(place.rsplit('/').next().unwrap()).unwrap();
    let run = world.seed.store.run(&id).await.unwrap().unwrap();
    let token = run.request.inputs["token"].as_str().unwrap().to_owned();
    assert_ne!(token, "hush-hush", "no secret at rest");
    let expected = json!({
        "name": "orders", "size": 4, "class": "large", "backups": false, "zones": ["b", "c"],
        "tags": {"team": "shop", "note": "a=b"}, "owner": {"email": "jane@acme.example"}, "token": token,
    });
    assert_eq!(json!(run.request.inputs), expected);
    assert_eq!(
        (run.request.kind, run.request.user.email.as_deref()),
        (RunKind::Own, Some("jane@acme.example"))
    );
    assert_eq!(world.seed.store.runs(&everything()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_preview_that_cannot_be_had_says_so_and_starts_nothing() {
    let world = World::new().await;
    let browser = Browser::at(&world, "/actions/add_thing").await;
    let typed: Vec<_> = GOOD.into_iter().chain([("do", "preview")]).collect();
    let (status, _, page) = browser.send("/actions/add_thing", &typed).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("GitHub does not answer."), "{page}");
    assert!(page.contains("value=\"orders\"") && !page.contains("hush-hush"), "{page}");
    assert!(world.seed.store.runs(&everything()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_form_of_another_site_or_session_starts_nothing() {
    let world = World::new().await;
    let browser = Browser::at(&world, "/actions/add_thing").await;
    let typed: Vec<_> = GOOD.into_iter().chain([("do", "start")]).collect();
    let form = || browser.form("/actions/add_thing", &typed);

    let mut elsewhere = form();
    elsewhere.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    let mut without_cookie = form();
    without_cookie.headers_mut().remove(header::COOKIE);
    let other = Browser::at(&world, "/actions/add_thing").await;
    let mut of_another = form();
    of_another.headers_mut().insert(header::COOKIE, other.cookie.parse().unwrap());
    for forged in [elsewhere, without_cookie, of_another] {
        let (status, _, page) = browser.answer(forged).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(page.contains("does not belong to your session"), "{page}");
    }
    let mut from_away = form();
    from_away.extensions_mut().insert(axum::extract::ConnectInfo(
        "10.0.0.7:50000".parse::<std::net::SocketAddr>().unwrap(),
    ));
    assert_eq!(browser.answer(from_away).await.0, StatusCode::FORBIDDEN);
    assert!(world.seed.store.runs(&everything()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_step_that_was_put_aside_is_done_again_from_its_page() {
    let world = World::new().await;
    let id = world.seed.receive("r_parked", json!({})).await;
    world.seed.park(&id, "the template is gone").await;
    let page = world.shown("/runs/r_parked").await;
    let (_, rest) = page.split_once("action=\"/steps/").unwrap();
    let step = rest.split_once('/').unwrap().0;
    let address = format!("/steps/{step}/again");
    let browser = Browser::at(&world, "/actions/add_thing").await;
    let (status, place, _) = browser.send(&address, &[]).await;
    assert_eq!((status, place.as_str()), (StatusCode::SEE_OTHER, "/runs/r_parked"));
    assert!(world.shown("/runs/r_parked").await.contains("is done once more"));
    assert_eq!(browser.send(&address, &[]).await.0, StatusCode::NOT_FOUND, "once");
}

#[tokio::test]
async fn a_run_is_cancelled_from_its_page_once_and_not_when_it_is_merged() {
    let world = World::new().await;
    let id = world.seed.proposed("r_waits", json!({}), 42).await;
    assert!(world.shown("/runs/r_waits").await.contains("action=\"/runs/r_waits/cancel\""));
    let browser = Browser::at(&world, "/actions/add_thing").await;
    for _ in 0..2 {
        let (status, place, _) = browser.send("/runs/r_waits/cancel", &[]).await;
        assert_eq!((status, place.as_str()), (StatusCode::SEE_OTHER, "/runs/r_waits"));
    }
    let steps = world.seed.store.steps_of(&id).await.unwrap();
    let asked = steps.iter().filter_map(|recorded| match &recorded.step {
        Step::Cancel(cancel) => Some(cancel.by.as_str()),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), ["Somebody at the dashboard"]);

    world.seed.merged("r_merged", json!({}), 43).await;
    assert!(!world.shown("/runs/r_merged").await.contains("Cancel this run"));
    let (status, _, page) = browser.send("/runs/r_merged/cancel", &[]).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(page.contains("#43 is merged"), "{page}");
    assert_eq!(browser.send("/runs/r_none/cancel", &[]).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_of_a_run_says_in_words_what_was_reported_and_what_is_refused() {
    let world = World::new().await;
    world.seed.applied("r_applied", json!({}), 41).await;
    let page = world.shown("/runs/r_applied").await;
    let (_, told) = page.split_once("id=\"told\"").unwrap();
    let (told, _) = told.split_once("id=\"steps\"").unwrap();
    for part in [
        "Waiting for review",
        "href=\"https://github.com/acme/infrastructure/pull/41\"",
        "acme/infrastructure#41",
        "<strong>SUCCESS</strong>",
        "Applied by run 17205002.",
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    assert_eq!(told.matches("/></svg>told</span>").count(), 2, "{told}");
}

fn everything() -> towpath::store::RunFilter {
    towpath::store::RunFilter { limit: 10, ..towpath::store::RunFilter::default() }
}
