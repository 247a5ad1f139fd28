"""The key that the vendor's own credentials library finds in this process's environment and files.

Usage: official_credentials.py http://127.0.0.1:PORT PROVIDER

PROVIDER is one of `default`, `env`, `cli`, `ini`, or the library's own configuration as JSON, such as
{"type": "access_key", …}. Prints one JSON object: the key and the hosts that were asked for it, or the error.

The library's hosts are fixed in its code, and https. So its one way to the network is redirected to PORT, and every
request goes there whatever its host; which host was meant is noted. One more thing is changed on the way, unless
PROVIDER begins with `raw:`. The library asks for `AssumeRoleWithOIDC` by GET, with the OIDC token in the URL, where
any proxy logs it, and without a nonce. The simulator refuses that; so it is made a POST with a form, as the vendor's
own page has it.
"""

import json
import sys
import uuid
from urllib.parse import urlencode, urlsplit

from Tea.core import TeaCore

from alibabacloud_credentials.client import Client
from alibabacloud_credentials.models import Config
from alibabacloud_credentials.provider import (
    CLIProfileCredentialsProvider,
    DefaultCredentialsProvider,
    EnvironmentVariableCredentialsProvider,
    ProfileCredentialsProvider,
)

SIMULATOR = urlsplit(sys.argv[1])
PROVIDER = sys.argv[2].removeprefix("raw:")
RAW = sys.argv[2].startswith("raw:")

BY_NAME = {
    "default": DefaultCredentialsProvider,
    "env": EnvironmentVariableCredentialsProvider,
    "cli": CLIProfileCredentialsProvider,
    "ini": ProfileCredentialsProvider,
}

hosts = set()
send = TeaCore.do_action


def redirected(request, options=None):
    port = "" if request.port in (None, 80) else f":{request.port}"
    hosts.add(f"{request.protocol}://{request.headers['host']}{port}")
    request.protocol = "http"
    request.headers["host"] = SIMULATOR.hostname
    request.port = SIMULATOR.port
    if request.query.get("Action") == "AssumeRoleWithOIDC" and not RAW:
        common = ("Action", "Format", "Version", "Timestamp")
        form = {name: value for name, value in request.query.items() if name not in common}
        request.query = {name: request.query[name] for name in common}
        request.query["SignatureNonce"] = str(uuid.uuid4())
        request.method = "POST"
        request.headers["content-type"] = "application/x-www-form-urlencoded"
        request.body = urlencode(form)
    return send(request, options)


def find():
    if PROVIDER in BY_NAME:
        return Client(provider=BY_NAME[PROVIDER]()).get_credential()
    return Client(Config(**json.loads(PROVIDER))).get_credential()


def main():
    TeaCore.do_action = staticmethod(redirected)
    try:
        found = find()
    except Exception as error:  # whatever it is, there is no key
        json.dump({"error": f"{type(error).__name__}: {error}"}, sys.stdout)
        return
    answer = {
        "access_key_id": found.access_key_id,
        "access_key_secret": found.access_key_secret,
        # None and "" both mean that there is none.
        "security_token": found.security_token or None,
        "hosts": sorted(hosts),
    }
    json.dump(answer, sys.stdout)


main()
