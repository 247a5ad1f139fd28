//! Signing against the published, computed and captured vectors, each stage on its own.

use std::collections::BTreeMap;

use aliyun_pca_exporter::aliyun::sign::{acs3, encode, hmac_sha1};
use serde_json::Value;

fn vectors(scheme: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../data/signing/vectors.json")).unwrap();
    all[scheme].as_array().unwrap().clone()
}

fn map(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().unwrap().iter();
    entries
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn every_vector_is_there() {
    assert_eq!(
        (vectors("hmac_sha1").len(), vectors("acs3_hmac_sha256").len()),
        (10, 8)
    );
}

#[test]
fn hmac_sha1_agrees_with_every_vector_at_every_stage() {
    for vector in vectors("hmac_sha1") {
        let name = &vector["name"];
        // What the official SDK sent is known by its signature alone; it signs POST requests.
        let method = vector["method"].as_str().unwrap_or("POST");
        let query = encode::query(&map(&vector["parameters"]));
        let to_sign = hmac_sha1::string_to_sign(method, &query);
        let signature = hmac_sha1::signature(vector["access_key_secret"].as_str().unwrap(), &to_sign);
        if vector["origin"] != "captured" {
            assert_eq!(vector["canonical_query"], query.as_str(), "{name}");
            assert_eq!(vector["string_to_sign"], to_sign.as_str(), "{name}");
        }
        assert_eq!(vector["signature"], signature.as_str(), "{name}");
    }
}

#[test]
fn acs3_agrees_with_every_vector_at_every_stage() {
    for vector in vectors("acs3_hmac_sha256") {
        let name = &vector["name"];
        let text = |field: &str| vector[field].as_str().unwrap();
        let mut headers = map(&vector["headers"]);
        if let Some(signed) = vector["signed_headers"].as_str() {
            headers.retain(|header, _| signed.split(';').any(|name| name == header));
        }
        let query = encode::query(&map(&vector["query"]));
        let body_hash = acs3::hash(text("body").as_bytes());
        let canonical = acs3::canonical_request(text("method"), text("path"), &query, &headers, &body_hash);
        let to_sign = acs3::string_to_sign(&canonical);
        let signature = acs3::signature(text("access_key_secret"), &to_sign);
        let authorization =
            acs3::authorization(text("access_key_id"), &acs3::signed_headers(&headers), &signature);
        if vector["origin"] != "captured" {
            assert_eq!(vector["canonical_request"], canonical.as_str(), "{name}");
            let hash = vector["hashed_canonical_request"].as_str().unwrap();
            assert_eq!(to_sign, format!("ACS3-HMAC-SHA256\n{hash}"), "{name}");
        }
        assert_eq!(vector["signature"], signature.as_str(), "{name}");
        assert_eq!(vector["authorization"], authorization.as_str(), "{name}");
    }
}
