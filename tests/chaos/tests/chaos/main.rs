//! Chaos as tests: a short run of everything, and the cases that are named promises.

mod frozen;
mod rolling;
mod short;
