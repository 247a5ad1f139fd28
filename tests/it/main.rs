//! The integration tests; the list below is their table of contents.
#![allow(clippy::unwrap_used, missing_docs)]

mod clocks;
mod command;
mod config;
mod credentials;
mod credentials_cache;
mod credentials_page;
mod exposition;
mod http;
mod layers;
mod logs;
mod official_credentials;
mod official_sdk;
mod polling;
mod prometheus;
mod ram_policy;
mod secrets;
mod sessions;
mod signing;
mod simulator;
mod support;
mod throttling;
mod trouble;
mod web;
mod web_config;
