//! The integration tests; the list below is their table of contents.
#![allow(clippy::unwrap_used, missing_docs)]

mod config;
mod exposition;
mod http;
mod layers;
mod official_sdk;
mod signing;
mod simulator;
mod web;
