"""The vendor's own client against pca-simulator: do the two agree on both signature schemes?

Usage: official_sdk.py http://127.0.0.1:PORT

Every check that fails is an AssertionError; the end is reached only if all hold. The simulator must be a fresh
one that knows the key testid/testsecret.
"""

import json
import sys
import urllib.request

from alibabacloud_cas20200630.client import Client
from alibabacloud_cas20200630.models import GetCAInstanceStatusRequest, ListPcaCaCertificateRequest
from alibabacloud_tea_openapi.utils_models import Config

URL = sys.argv[1]
ENDPOINT = URL.removeprefix("http://")

PLAIN = {"access_key_id": "testid", "access_key_secret": "testsecret"}
TEMPORARY = {
    "access_key_id": "STS.testid",
    "access_key_secret": "testsecret",
    "security_token": "CAIStoken+/=test",
}
AWKWARD = "a b+c*d~e/f中&=%"
# Every field differs from every other, so that none can stand in for another.
FIELDS = {
    "Status": "USED",
    "Type": "SUB_ROOT",
    "CertTotalCount": 1000,
    "CertIssuedCount": 412,
    "BeforeTime": 1635177600001,
    "AfterTime": 1792944000002,
    "UseExpireTime": 1637251200003,
    "Identifier": "a7bb2dd212a2112128cd5cc9b753****",
}
# Likewise, of a CA certificate.
CA_FIELDS = {
    "Status": "ISSUE",
    "CommonName": "Example Co., Ltd.",
    "IssuerIdentifier": "1ef78be5-0000-0000-0000-000000000001",
    "PrivateCaInstanceId": "cas_deposit-cn-0000",
    "PrivateCaRegionId": "eu-central-1",
    "UserId": "1660000000000001",
}


def tell(**command):
    body = json.dumps(command).encode()
    urllib.request.urlopen(urllib.request.Request(f"{URL}/simulator/", body)).close()


def see():
    with urllib.request.urlopen(f"{URL}/simulator/") as answer:
        return json.load(answer)


def ask(key, scheme, **parameters):
    config = Config(endpoint=ENDPOINT, protocol="http", signature_algorithm=scheme, **key)
    return Client(config).get_cainstance_status(GetCAInstanceStatusRequest(**parameters))


def pages(key, scheme, max_results):
    """The bodies of the list's pages, to the last one."""
    config = Config(endpoint=ENDPOINT, protocol="http", signature_algorithm=scheme, **key)
    request = ListPcaCaCertificateRequest(max_results=max_results)
    while True:
        body = Client(config).list_pca_ca_certificate(request).body
        yield body.to_map()
        if body.next_token is None:
            return
        request.next_token = body.next_token


def expect_ca_certificates(key, scheme):
    """Reads the whole list; returns how many calls that took."""
    found = list(pages(key, scheme, 5))
    entries = [entry for page in found for entry in page["List"]]
    assert len(found) > 1 and all(len(page["List"]) == 5 for page in found[:-1]), found
    for page in found:
        numbers = (page["TotalCount"], page["MaxResults"], len(page["RequestId"]))
        assert numbers == (len(entries), 5, 36), page
    assert [entry for entry in entries if entry["CertIdentifier"] == AWKWARD] == [
        {"CertIdentifier": AWKWARD, **CA_FIELDS}
    ], entries
    return len(found)


def expect_fields(answer, instance_id):
    assert answer.status_code == 200, answer.status_code
    body = answer.body.to_map()
    assert len(body["RequestId"]) == 36, body
    expected = [{"InstanceId": instance_id, **FIELDS}]
    assert body["InstanceStatusList"] == expected, body["InstanceStatusList"]


def expect_refusal(code, status, key, scheme, message=""):
    try:
        ask(key, scheme, instance_id=AWKWARD)
    except Exception as refusal:  # its class differs between versions of the SDK
        found = (getattr(refusal, "code", None), getattr(refusal, "statusCode", None))
        assert found == (code, status), (found, refusal)
        assert message in str(refusal), refusal
    else:
        raise AssertionError(f"accepted, but expected {code}")


def main():
    tell(set_limit={"user": "default", "calls": 1000})
    tell(put_key={**TEMPORARY, "user": "default"})
    for instance_id in ("cas-member-0hmi****", AWKWARD):
        tell(put_instance={"InstanceId": instance_id, **FIELDS})
    tell(put_ca_certificate={"CertIdentifier": AWKWARD, **CA_FIELDS})
    tell(put_certificate={"identifier": "x&y=z", "instance_id": AWKWARD})

    accepted = listed = 0
    for scheme in (None, "v2"):
        for key in (PLAIN, TEMPORARY):
            for instance_id in ("cas-member-0hmi****", AWKWARD):
                expect_fields(ask(key, scheme, instance_id=instance_id), instance_id)
                accepted += 1
            expect_fields(ask(key, scheme, identifier="x&y=z"), AWKWARD)
            accepted += 1
            listed += expect_ca_certificates(key, scheme)
    # Accepted because the rules were met, not because nobody looked.
    seen = see()
    assert seen["refusals"] == {}, seen["refusals"]
    arrivals = {calls["action"]: calls["arrivals"] for calls in seen["calls"]}
    assert arrivals == {"GetCAInstanceStatus": accepted, "ListPcaCaCertificate": listed}, seen["calls"]

    for scheme in (None, "v2"):
        for key in (PLAIN, TEMPORARY):
            wrong = {**key, "access_key_secret": "Testsecret"}
            # What the refusal repeats tells which scheme the SDK really used.
            signed = "POST&%2F&AccessKeyId" if scheme == "v2" else "ACS3-HMAC-SHA256"
            expect_refusal("SignatureDoesNotMatch", 400, wrong, scheme, signed)
        expect_refusal("InvalidAccessKeyId.NotFound", 404, {**PLAIN, "access_key_id": "nobody"}, scheme)
        expect_refusal("InvalidSecurityToken.Expired", 400, {**TEMPORARY, "security_token": "old"}, scheme)
        for seconds in (1000, -1000):
            tell(set_clock_offset=seconds)
            expect_refusal("InvalidTimeStamp.Expired", 400, PLAIN, scheme)
        tell(set_clock_offset=0)
    print("the official SDK and the simulator agree")


main()
