//! The answer of `ListPcaCaCertificate`: which certificates, which of them on a page, and how the next page is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use serde_json::{Value, json};

use super::ca_certificate::CaCertificate;
use super::cas::Cas;
use super::error::ApiError;
use crate::aliyun::sign::acs3;

/// How many certificates a page may be asked to hold.
const MAX_RESULTS: std::ops::RangeInclusive<usize> = 1..=2000;

/// How many it holds where nothing is said.
const DEFAULT_MAX_RESULTS: usize = 20;

/// Where a certificate stands in the list: by its identifier, then its instance. (Only a careless scenario has one
/// identifier twice.)
type Position<T> = (T, T);

/// The tokens handed out so far, and the last certificate of the page that each came with.
///
/// A certificate names the place, not a number: so the next page is right whatever was added or removed meanwhile,
/// that very certificate included.
#[derive(Debug, Default)]
pub(super) struct NextTokens(BTreeMap<String, Position<String>>);

impl Cas {
    /// The answer, without its `RequestId`.
    pub(super) fn ca_certificate_list(
        &mut self,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Value, ApiError> {
        let most = max_results(parameters)?;
        let after = match self.next_tokens.position(parameters)? {
            Some((identifier, instance_id)) => Excluded((identifier.as_str(), instance_id.as_str())),
            None => Unbounded,
        };
        let all = self.ca_certificate_positions();
        let mut rest = all.range((after, Unbounded));
        let page: Vec<_> = rest.by_ref().take(most).copied().collect();
        let mut answer = json!({
            "List": page.iter().filter_map(|at| self.ca_certificate(*at)).collect::<Vec<_>>(),
            "MaxResults": most,
            "TotalCount": all.len(),
        });
        if let (Some((identifier, instance_id)), true) = (page.last(), rest.next().is_some()) {
            let last = ((*identifier).to_owned(), (*instance_id).to_owned());
            answer["NextToken"] = json!(self.next_tokens.hand_out(last));
        }
        Ok(answer)
    }

    /// Of every certificate, in order: those of the instances, and those that were put beside or in place of them.
    fn ca_certificate_positions(&self) -> BTreeSet<Position<&str>> {
        let own = self.instances.values().filter_map(|instance| {
            let identifier = instance.identifier.as_deref()?;
            let replaced = self.ca_certificates.contains_key(identifier);
            (!replaced).then_some((identifier, instance.instance_id.as_str()))
        });
        let put = self.ca_certificates.values();
        own.chain(put.map(|put| (put.cert_identifier.as_str(), put.private_ca_instance_id.as_str())))
            .collect()
    }

    fn ca_certificate(&self, (identifier, instance_id): Position<&str>) -> Option<CaCertificate> {
        let put = self.ca_certificates.get(identifier).cloned();
        put.or_else(|| CaCertificate::of(self.instances.get(instance_id)?))
    }
}

impl NextTokens {
    /// Where the page before ended; none for the first page, which a call without a token or with an empty one asks
    /// for.
    fn position(&self, parameters: &BTreeMap<String, String>) -> Result<Option<&Position<String>>, ApiError> {
        let Some(token) = parameters.get("NextToken").filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        self.0.get(token).map(Some).ok_or_else(|| {
            ApiError::new(
                "InvalidParameter.NextToken",
                400,
                "The specified parameter NextToken is not valid.",
            )
        })
    }

    /// The token of the page that ends with `last`: the same one each time, so that pages asked for again cost nothing.
    fn hand_out(&mut self, last: Position<String>) -> String {
        let mut token = acs3::hash(format!("{}\n{}", last.0, last.1).as_bytes());
        token.truncate(32);
        self.0.insert(token.clone(), last);
        token
    }
}

fn max_results(parameters: &BTreeMap<String, String>) -> Result<usize, ApiError> {
    let Some(wanted) = parameters.get("MaxResults") else {
        return Ok(DEFAULT_MAX_RESULTS);
    };
    let wanted = wanted.parse().ok();
    wanted
        .filter(|wanted| MAX_RESULTS.contains(wanted))
        .ok_or_else(|| {
            ApiError::new(
                "InvalidParameter",
                400,
                "The specified parameter MaxResults is not valid.",
            )
        })
}
