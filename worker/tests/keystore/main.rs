//! The key material of a session in Redis, against a real server and against the library's own
//! store in memory.

mod conformance;
mod fencing;
mod lifecycle;
mod limits;
mod observe;
mod sealing;
mod server;
mod steps;
mod together;
mod tokens;
mod writes;
