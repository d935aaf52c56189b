//! The engine against a real Redis, with a dispatch of the test's own in place of WhatsApp.

mod world;

mod ending;
mod faults;
mod flow;
