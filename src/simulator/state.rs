//! What can change in a world, and the way of a request through it: which service it is for, whether the rules let
//! it in, and what goes back. What each service says is in its own file.

use std::collections::{BTreeMap, BTreeSet};

use hyper::StatusCode;

use super::arrivals::Arrivals;
use super::call::{self, Call};
use super::cas::Cas;
use super::credentials_uri::{self, CredentialsUri};
use super::envelope::Envelope;
use super::error::ApiError;
use super::fault::{Faults, Misbehaviour};
use super::format::Format;
use super::metadata::{self, MetadataService};
use super::network::Network;
use super::oidc::{self, OidcCall};
use super::reply::{self, Honest, Reply};
use super::rules::{self, Arriving, DEFAULT_LIMIT, Key, Nonces};
use super::sessions::Sessions;
use super::sts::{ASSUME_ROLE_WITH_OIDC, Asker, Sts};
use super::under_way::UnderWay;
use crate::host::HttpRequest;

/// The user of calls whose key is unknown or that have none, and the action of calls that cannot be read.
pub(super) const UNKNOWN: &str = "unknown";

/// What can change.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) sessions: Sessions,
    pub(super) limits: BTreeMap<String, usize>,
    /// The actions that are refused, by user.
    pub(super) denied: BTreeMap<String, BTreeSet<String>>,
    pub(super) http_allowed: bool,
    pub(super) cas: Cas,
    pub(super) sts: Sts,
    pub(super) metadata: MetadataService,
    pub(super) credentials_uri: Option<CredentialsUri>,
    pub(super) faults: Faults,
    pub(super) network: Network,
    pub(super) arrivals: Arrivals,
    pub(super) under_way: UnderWay,
    pub(super) clock_offset_millis: i64,
    nonces: Nonces,
}

/// A call that the rules have let in.
struct Admitted<'a> {
    action: &'a str,
    instance: Option<String>,
    format: Format,
}

impl State {
    /// What goes back.
    pub(super) fn receive(&mut self, request: &HttpRequest, envelope: &Envelope<'_>) -> Reply {
        let path = call::path(request);
        let here = |uri: &&CredentialsUri| uri.path == path;
        if let Some(uri) = self.credentials_uri.as_ref().filter(here).cloned() {
            self.record(UNKNOWN, credentials_uri::ACTION, None, None, envelope);
            return self.answer(&unsigned(credentials_uri::ACTION), envelope, |state| {
                Ok(uri.answer(request, envelope.now, &mut state.sessions))
            });
        }
        if let Some(action) = metadata::action(path) {
            return self.metadata(request, path, action, envelope);
        }
        if oidc::is_for(request) {
            return self.assume_role_with_oidc(request, envelope);
        }
        match Call::read(request) {
            Ok(call) => self.signed(&call, envelope),
            Err(refusal) => {
                self.record(UNKNOWN, UNKNOWN, None, None, envelope);
                self.refuse(&refusal, Format::Json, envelope)
            }
        }
    }

    fn signed(&mut self, call: &Call, envelope: &Envelope<'_>) -> Reply {
        let key = self.keys.get(&call.access_key_id);
        let key = key.or_else(|| self.sessions.get(&call.access_key_id)).cloned();
        let user = key.as_ref().map_or(UNKNOWN, |key| &key.user);
        let instance = self.cas.asked_for(&call.parameters).map(str::to_owned);
        let in_window = self.record(
            user,
            &call.action,
            Some(&call.access_key_id),
            instance.as_deref(),
            envelope,
        );
        let for_sts = Sts::has(&call.action);
        let arriving = Arriving {
            call,
            key: key.as_ref(),
            at: envelope.at,
            now: envelope.now,
            in_window,
            limit: if for_sts {
                self.sts.limit(user)
            } else {
                self.limits.get(user).copied().unwrap_or(DEFAULT_LIMIT)
            },
        };
        let welcome = rules::admit(&arriving, &mut self.nonces).and_then(|()| self.check_action(call, user));
        if let Err(refusal) = welcome {
            return self.refuse(&refusal, call.format, envelope);
        }
        let admitted = Admitted {
            action: &call.action,
            instance,
            format: call.format,
        };
        let asker = Asker::User {
            name: user,
            access_key_id: &call.access_key_id,
        };
        self.answer(&admitted, envelope, |state| {
            let answer = if for_sts {
                let sessions = &mut state.sessions;
                state
                    .sts
                    .assume_role(&asker, &call.parameters, envelope.now, sessions)
            } else {
                state.cas.answer(&call.action, &call.parameters)
            };
            answer.map(Honest::Api)
        })
    }

    /// Whether there is such an action, it may come this way, and the user may use it.
    fn check_action(&self, call: &Call, user: &str) -> Result<(), ApiError> {
        if Sts::has(&call.action) {
            Sts::check(&call.version)?;
        } else {
            Cas::check(&call.version, &call.action)?;
        }
        if Cas::is_https_only(&call.action) && call.over_http && !self.http_allowed {
            return Err(ApiError::new(
                "InvalidProtocol.NeedSsl",
                400,
                "Your request is denied as lack of ssl protect.",
            ));
        }
        let denied = self.denied.get(user);
        if denied.is_some_and(|actions| actions.contains(&call.action)) {
            return Err(ApiError::no_permission());
        }
        Ok(())
    }

    fn assume_role_with_oidc(&mut self, request: &HttpRequest, envelope: &Envelope<'_>) -> Reply {
        self.record(UNKNOWN, ASSUME_ROLE_WITH_OIDC, None, None, envelope);
        let call = match OidcCall::read(request) {
            Ok(call) => call,
            Err(refusal) => return self.refuse(&refusal, Format::Json, envelope),
        };
        let welcome = rules::check_time(&call.time, envelope.now)
            .and_then(|()| self.nonces.take("", &call.nonce, envelope.at))
            .and_then(|()| Sts::check(&call.version));
        if let Err(refusal) = welcome {
            return self.refuse(&refusal, call.format, envelope);
        }
        let admitted = Admitted {
            format: call.format,
            ..unsigned(ASSUME_ROLE_WITH_OIDC)
        };
        self.answer(&admitted, envelope, |state| {
            let asker = Asker::Provider {
                arn: &call.provider_arn,
                token: &call.token,
            };
            let sessions = &mut state.sessions;
            let answer = state
                .sts
                .assume_role(&asker, &call.parameters, envelope.now, sessions);
            answer.map(Honest::Api)
        })
    }

    fn metadata(
        &mut self,
        request: &HttpRequest,
        path: &str,
        action: &'static str,
        envelope: &Envelope<'_>,
    ) -> Reply {
        if self.metadata.instance.is_none() {
            return Reply::Refused;
        }
        self.record(UNKNOWN, action, None, None, envelope);
        self.answer(&unsigned(action), envelope, |state| {
            let honest = state
                .metadata
                .answer(request, path, envelope.now, &mut state.sessions);
            Ok(honest.unwrap_or(Honest::Status(StatusCode::NOT_FOUND)))
        })
    }

    /// The honest answer, or what a fault puts in its stead.
    fn answer(
        &mut self,
        call: &Admitted<'_>,
        envelope: &Envelope<'_>,
        honest: impl FnOnce(&mut Self) -> Result<Honest, ApiError>,
    ) -> Reply {
        match self.faults.strike(call.action, call.instance.as_deref()) {
            Some(Misbehaviour::Error(error)) => envelope.refusal(&error, call.format),
            Some(Misbehaviour::Answer { status, body }) => {
                Reply::Whole(reply::response(status, Format::Json.content_type(), body))
            }
            Some(Misbehaviour::Odd(oddity)) => oddity.reply(match honest(self) {
                Ok(Honest::Api(answer)) => envelope.named(answer),
                Ok(Honest::Plain(answer)) => answer,
                // A call about nothing known has an honest answer too: the empty list.
                _ => envelope.named(Cas::nothing(call.action)),
            }),
            None => match honest(self) {
                Ok(honest) => envelope.honest(honest, call.action, call.format),
                Err(refusal) if Sts::has(call.action) => self.refuse(&refusal, call.format, envelope),
                Err(refusal) => envelope.refusal(&refusal, call.format),
            },
        }
    }

    fn refuse(&mut self, refusal: &ApiError, format: Format, envelope: &Envelope<'_>) -> Reply {
        self.arrivals.refuse(&refusal.code);
        envelope.refusal(refusal, format)
    }

    /// Returns how many calls of the user and action the second that ends now holds.
    fn record(
        &mut self,
        user: &str,
        action: &str,
        access_key_id: Option<&str>,
        instance: Option<&str>,
        envelope: &Envelope<'_>,
    ) -> usize {
        let when = (envelope.at, envelope.now);
        self.arrivals.record(user, action, access_key_id, instance, when)
    }
}

fn unsigned(action: &str) -> Admitted<'_> {
    Admitted {
        action,
        instance: None,
        format: Format::Json,
    }
}
