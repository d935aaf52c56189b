//! How the table of routes becomes a router, and what the OpenAPI document is made from.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{RawPathParams, Request};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, any, on};
use axum::{RequestExt, Router};
use tower::ServiceExt;

use crate::access::{AuthLayer, Requirement, admit};
use crate::error::{ApiError, Code};
use crate::openapi::Operation;
use crate::request::Verb;
use crate::router::BASE;
use crate::state::App;

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) method: Method,
    /// The whole path, its parameters in braces.
    pub(crate) path: String,
    /// What it asks of its callers.
    pub(crate) need: Requirement,
    /// What it says of itself.
    pub(crate) operation: fn() -> Operation,
}

/// The routes as they are entered.
pub(crate) struct Routes {
    app: Arc<App>,
    places: Vec<(String, Place)>,
    table: Vec<Line>,
}

/// What is at one path of the router: the path itself, and `:verb`s behind its last parameter,
/// which the router below us can not tell apart.
#[derive(Default)]
struct Place {
    bare: MethodRouter<Arc<App>>,
    verbs: Vec<(&'static str, MethodRouter<Arc<App>>)>,
}

impl Routes {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self {
            app,
            places: Vec::new(),
            table: Vec::new(),
        }
    }

    /// A route under [`BASE`]: its callers need one of these capabilities, or are operators. A path
    /// may end in `{parameter}:verb`; the handler gets the parameter without the verb.
    pub(crate) fn route<H, T>(
        self,
        method: Method,
        path: &'static str,
        need: impl Into<Requirement>,
        handler: H,
        operation: fn() -> Operation,
    ) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let need = need.into();
        let gate = AuthLayer {
            app: self.app.clone(),
            need,
        };
        let line = Line {
            method,
            path: format!("{BASE}{path}"),
            need,
            operation,
        };
        let handler = on(filter(&line.method), handler).layer(from_fn_with_state(gate, admit));
        self.enter(line, split(path).1, handler)
    }

    /// A route that asks for no token; `path` is the whole path.
    pub(crate) fn open<H, T>(
        self,
        method: Method,
        path: &'static str,
        handler: H,
        operation: fn() -> Operation,
    ) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let line = Line {
            method,
            path: path.to_owned(),
            need: Requirement::Nothing,
            operation,
        };
        let handler = on(filter(&line.method), handler);
        self.enter(line, split(path).1, handler)
    }

    fn enter(
        mut self,
        line: Line,
        verb: Option<&'static str>,
        handler: MethodRouter<Arc<App>>,
    ) -> Self {
        let (path, _) = split(&line.path);
        let index = match self.places.iter().position(|(known, _)| known == path) {
            Some(index) => index,
            None => {
                self.places.push((path.to_owned(), Place::default()));
                self.places.len() - 1
            }
        };
        let place = &mut self.places[index].1;
        let router = match verb {
            None => &mut place.bare,
            Some(verb) => place.verb(verb),
        };
        *router = std::mem::take(router).merge(handler);
        self.table.push(line);
        self
    }

    /// The table.
    pub(crate) fn table(&self) -> &[Line] {
        &self.table
    }

    /// The router of all of them.
    pub(crate) fn into_router(self) -> Router<Arc<App>> {
        let Self { app, places, .. } = self;
        places
            .into_iter()
            .fold(Router::new(), |router, (path, place)| {
                router.route(&path, place.into_router(&app))
            })
    }
}

impl Place {
    fn verb(&mut self, verb: &'static str) -> &mut MethodRouter<Arc<App>> {
        let index = match self.verbs.iter().position(|(known, _)| *known == verb) {
            Some(index) => index,
            None => {
                self.verbs.push((verb, MethodRouter::default()));
                self.verbs.len() - 1
            }
        };
        &mut self.verbs[index].1
    }

    fn into_router(self, app: &Arc<App>) -> MethodRouter<Arc<App>> {
        let Self { bare, verbs } = self;
        if verbs.is_empty() {
            return bare.fallback(no_such_method);
        }
        let finish = |router: MethodRouter<Arc<App>>| -> MethodRouter<(), Infallible> {
            router.fallback(no_such_method).with_state(app.clone())
        };
        let bare = finish(bare);
        let verbs: Arc<[(&'static str, MethodRouter)]> = verbs
            .into_iter()
            .map(|(verb, router)| (verb, finish(router)))
            .collect();
        any(move |mut request: Request| async move {
            let Ok(params) = request.extract_parts::<RawPathParams>().await else {
                return ApiError::not_found("path").into_response();
            };
            let last = params.iter().last().map_or("", |(_, value)| value);
            let named = last.rsplit_once(':').map(|(_, verb)| verb);
            let found = named.and_then(|named| verbs.iter().find(|(verb, _)| *verb == named));
            let router = match (named, found) {
                (_, Some((verb, router))) => {
                    request.extensions_mut().insert(Verb(verb));
                    router.clone()
                }
                (None, None) => bare.clone(),
                // No id has a colon: this is a verb that does not exist.
                (Some(_), None) => return ApiError::not_found("path").into_response(),
            };
            let answered: Result<Response, Infallible> = router.oneshot(request).await;
            answered.unwrap_or_else(|never| match never {})
        })
    }
}

/// A path of the table as the router knows it, and the verb behind its last parameter.
fn split(path: &str) -> (&str, Option<&str>) {
    match path.rfind("}:") {
        Some(end) => (&path[..=end], Some(&path[end + 2..])),
        None => (path, None),
    }
}

fn filter(method: &Method) -> MethodFilter {
    // The table holds none of the methods that have no filter.
    MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::TRACE)
}

async fn no_such_method(method: Method) -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        format!("{method} is not a method of this path"),
    )
}
