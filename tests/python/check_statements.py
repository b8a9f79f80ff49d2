"""Checks statements with the published keys alone, and that each key's id is its thumbprint (RFC 7638).

    check_statements.py JWKS STATEMENT...
"""

import base64
import hashlib
import json
import sys

import jwt

MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}


def thumbprint(key):
    members = {name: key[name] for name in MEMBERS[key["kty"]]}
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def main():
    published, *statements = sys.argv[1:]
    for key in json.loads(published)["keys"]:
        assert key["kid"] == thumbprint(key), key["kid"]
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_json(published).keys}
    for statement in statements:
        header = jwt.get_unverified_header(statement)
        key = keys[header["kid"]]
        claims = jwt.decode(statement, key, algorithms=[key.algorithm_name])
        print(header["alg"], claims["sub"])


if __name__ == "__main__":
    main()
