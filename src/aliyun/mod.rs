//! One authenticated call to an RPC-style API of Alibaba Cloud, knowing no product.
//!
//! `request` says what to call, `sign` makes it a signed HTTP request (pure), `budget` says when it may go,
//! `client` makes exactly one attempt by way of `exchange`, `credentials` says with which key, `error` turns whatever came back into something to decide by.

pub mod budget;
pub mod client;
pub mod credentials;
pub mod endpoint;
pub mod error;
pub mod exchange;
pub mod request;
pub mod sign;
pub mod skew;
