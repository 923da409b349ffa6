//! Who is let in to the dashboard, and what they may do there.

use std::time::Duration;

use reqwest::header::{ACCEPT, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response, StatusCode};

use crate::world::{Kind, World};

/// A browser that keeps cookies and follows no redirect by itself.
struct Browser<'a> {
    world: &'a World,
    client: Client,
    cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    fn new(world: &'a World) -> Self {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none());
        // GitHub answers nobody without a name.
        let client = client.user_agent("a browser").build().unwrap();
        Self { world, client, cookies: Vec::new() }
    }

    fn request(&self, post: bool, address: &str) -> RequestBuilder {
        let own = format!("http://{}", self.world.address());
        let is_own = address.starts_with('/') || address.starts_with(&own);
        let address =
            if address.starts_with('/') { format!("{own}{address}") } else { address.to_owned() };
        let request = if post { self.client.post(address) } else { self.client.get(address) };
        let request = request.header(ACCEPT, "text/html");
        if !is_own || self.cookies.is_empty() {
            return request;
        }
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        request.header(COOKIE, cookies.collect::<Vec<_>>().join("; "))
    }

    async fn send(&mut self, request: RequestBuilder) -> Response {
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (pair, rules) = cookie.to_str().unwrap().split_once(';').unwrap();
            assert!(rules.contains("HttpOnly") && rules.contains("SameSite=Lax"), "{rules}");
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    async fn get(&mut self, address: &str) -> Response {
        self.send(self.request(false, address)).await
    }

    /// Opens a page, and goes where it is led.
    async fn open(&mut self, address: &str) -> (StatusCode, String) {
        let mut answer = self.get(address).await;
        for _ in 0..6 {
            let Some(place) = answer.headers().get(LOCATION).cloned() else { break };
            answer = self.get(place.to_str().unwrap()).await;
        }
        (answer.status(), answer.text().await.unwrap())
    }
}

fn place(answer: &Response) -> String {
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

async fn world() -> World {
    let world = World::of(Kind { embedded_portal: true, sign_in: true, ..Kind::default() }).await;
    world.github.add_team("acme", "devops", &[]);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_looks_and_who_is_in_the_team_runs() {
    let world = world().await;
    world.github.add_member("acme", "jane");
    world.github.sign_in_as("jane");
    let mut jane = Browser::new(&world);
    assert_eq!(place(&jane.get("/health").await), "/sign-in?to=%2Fhealth");
    let (status, page) = jane.open("/health").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("<h1>Health</h1>") && page.contains(">jane</a>"), "{page}");
    let (status, page) = jane.open("/actions/add_database").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("not start actions"), "{page}");
    assert!(!jane.open("/actions").await.1.contains("href=\"/actions/"), "no form is offered");

    world.github.set_team_member("acme", "devops", "jane", true);
    world.clock.advance(Duration::from_mins(6));
    let (status, page) = jane.open("/actions/add_database").await;
    assert_eq!(status, StatusCode::OK, "her rights are asked for again");
    let fields =
        [("form_token", hidden(&page, "form_token")), ("request", hidden(&page, "request"))];
    let fields = fields.map(|(name, value)| format!("{name}={value}")).join("&");
    let form = jane.request(true, "/actions/add_database");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let started = jane.send(form.body(format!("{fields}&in.name=orders&do=start"))).await;
    assert_eq!(started.status(), StatusCode::SEE_OTHER);
    world.rest().await;
    let run = jane.open(&place(&started)).await.1;
    assert!(run.contains("asked for by") && run.contains("jane"), "{run}");
    assert!(!run.contains("Cancel this run"), "that is for administrators: {run}");
    let form = jane.request(true, &format!("{}/cancel", place(&started)));
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let refused = jane.send(form.body(format!("form_token={}", hidden(&page, "form_token")))).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);

    world.github.set_team_member("acme", "devops", "jane", false);
    world.clock.advance(Duration::from_mins(6));
    assert_eq!(jane.open("/actions/add_database").await.0, StatusCode::FORBIDDEN);
    world.end_with_refusals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_let_in_not_even_on_this_machine() {
    let world = world().await;
    world.github.sign_in_as("mallory");
    let mut mallory = Browser::new(&world);
    let (status, page) = mallory.open("/").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("You may not see this dashboard"), "{page}");
    assert_eq!(mallory.get("/live").await.status(), StatusCode::SEE_OTHER);
    let background = mallory.request(false, "/").header("sec-fetch-mode", "cors");
    assert_eq!(mallory.send(background).await.status(), StatusCode::UNAUTHORIZED);
    let form = mallory.request(true, "/actions/add_database").body("do=start");
    assert_eq!(mallory.send(form).await.status(), StatusCode::UNAUTHORIZED);
    assert!(
        world
            .store()
            .runs(&towpath::store::RunFilter { limit: 1, ..Default::default() })
            .await
            .unwrap()
            .is_empty()
    );
    world.end_with_refusals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_was_begun_elsewhere_is_worth_nothing() {
    let world = world().await;
    world.github.sign_in_as("olga");
    let mut olga = Browser::new(&world);
    let github = place(&olga.get("/sign-in?to=//evil.example").await);
    let back = place(&olga.get(&github).await);
    let mut other = Browser::new(&world);
    assert_eq!(other.get(&back).await.status(), StatusCode::BAD_REQUEST, "without its cookie");
    let forged = back.replace("state=", "state=x");
    assert_eq!(olga.get(&forged).await.status(), StatusCode::BAD_REQUEST, "with another state");
    let wrong = back.replace("code=", "code=x");
    assert_eq!(olga.get(&wrong).await.status(), StatusCode::BAD_GATEWAY, "with another code");
    let taken = olga.get(&back).await;
    assert_eq!((taken.status(), place(&taken).as_str()), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(olga.open("/").await.0, StatusCode::OK);

    let (_, page) = olga.open("/actions").await;
    assert!(page.contains("href=\"/actions/delete_database\""), "olga may do everything");
    let form = olga.request(true, "/sign-out");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let out = olga.send(form.body(format!("form_token={}", hidden(&page, "form_token")))).await;
    assert_eq!(place(&out), "/signed-out");
    assert_eq!(place(&olga.get("/").await), "/sign-in?to=%2F");
    world.end_with_refusals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_and_nobody_can_write_one() {
    let world = world().await;
    world.github.sign_in_as("olga");
    let mut olga = Browser::new(&world);
    assert_eq!(olga.open("/").await.0, StatusCode::OK);
    let mut forger = Browser::new(&world);
    let (name, value) = olga.cookies[0].clone();
    forger.cookies.push((name, format!("x{value}")));
    assert_eq!(forger.get("/").await.status(), StatusCode::SEE_OTHER);
    world.clock.advance(Duration::from_hours(11));
    assert_eq!(olga.get("/").await.status(), StatusCode::SEE_OTHER);
    world.end_with_refusals().await;
}
