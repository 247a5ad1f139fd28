//! A daemon that polls Alibaba Cloud's private certificate authorities (PCA) and serves what it learned to
//! Prometheus.
//!
//! Two halves meet in one place. The polling half asks the cloud in the background, inside the account's budget
//! of calls; the serving half answers scrapes from the last known state. A scrape never calls the cloud, a poll
//! never formats text:
//!
//! ```text
//! config ─► app ─► poll::Schedule ─► aliyun::Budget ─► pca (which call) ─► aliyun::Client (credentials, sign)
//!                                                                               │ Transport
//!                                                                            decode
//!                                                                               ▼
//!                          web ◄── exposition ◄── snapshot of ───────────── store
//! ```
//!
//! Where to start reading: [`model`] for the words, [`poll::Poller`] for what happens all day, [`store`] for what
//! becomes of an outcome, [`app`] for how the parts are put together. Four rules hold everywhere, and a test
//! reads the sources to hold them: nothing below `app` sees the configuration; `aliyun` knows how to call and
//! `pca` what to call; the two halves meet only in `store`; the outside world is reached only through [`host`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod aliyun;
pub mod app;
pub mod cli;
pub mod config;
pub mod exposition;
pub mod host;
pub mod model;
pub mod pca;
pub mod poll;
pub mod secret;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod web;
pub mod yaml;
