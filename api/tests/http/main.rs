//! The API over HTTP, against a real Redis. Where a worker is needed, the test is the owner of the
//! session and runs the real scripts.

mod access;
mod addresses;
mod admin;
mod api_keys;
mod bad_input;
mod batch;
mod bounds;
mod command_line;
mod connections;
mod ending;
mod envelope;
mod events;
mod idempotency;
mod lane;
mod limits;
mod logins;
mod operations;
mod outage;
mod outbox;
mod outcomes;
mod owner;
mod reference;
mod said;
mod secrets;
mod sessions;
mod shapes;
mod tenant_isolation;
mod types;
mod web_socket;
mod world;
