"""A server that answers as the secrets engine Transit of Vault does, for as much of it as we use.

    vault_transit.py PORT TOKEN

What Vault's own client makes of it: vault_client.py.
https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

import base64
import binascii
import http.server
import json
import os
import sys
import threading

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12


class Refused(Exception):
    def __init__(self, status, *errors):
        super().__init__(*errors)
        self.status, self.errors = status, list(errors)


class Key:
    """A key with its versions, the first being 1."""

    def __init__(self):
        self.versions = []
        self.min_decryption_version = 1
        self.rotate()

    def rotate(self):
        self.versions.append(AESGCM.generate_key(256))

    def encrypt(self, plaintext):
        nonce = os.urandom(NONCE)
        sealed = nonce + AESGCM(self.versions[-1]).encrypt(nonce, plaintext, None)
        return f"vault:v{len(self.versions)}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, ciphertext):
        try:
            vault, version, sealed = ciphertext.split(":")
            if vault != "vault" or not version.startswith("v"):
                raise ValueError
            version, sealed = int(version[1:]), base64.b64decode(sealed, validate=True)
        except (ValueError, binascii.Error):
            raise Refused(400, "invalid ciphertext: no prefix") from None
        if version > len(self.versions):
            raise Refused(400, "invalid ciphertext: version is too new")
        if version < self.min_decryption_version:
            raise Refused(400, "ciphertext or signature version is disallowed by policy (too old)")
        try:
            return AESGCM(self.versions[version - 1]).decrypt(sealed[:NONCE], sealed[NONCE:], None)
        except (InvalidTag, ValueError):
            raise Refused(400, "cipher: message authentication failed") from None


class Vault:
    def __init__(self, token):
        self.token, self.sealed, self.keys, self.lock = token, False, {}, threading.Lock()

    def answer(self, method, path, headers, body):
        if path == "sys/seal-status":
            return 200, {"type": "shamir", "initialized": True, "sealed": self.sealed}
        if self.sealed:
            raise Refused(503, "Vault is sealed")
        if headers.get("X-Vault-Token") != self.token:
            raise Refused(403, "permission denied")
        if (method, path) == ("PUT", "sys/seal"):
            self.sealed = True
            return 204, None
        mount, operation, *name = path.split("/", 2)
        if mount != "transit" or not name:
            raise Refused(404, "no handler for route \"" + path + "\". route entry not found.")
        name, _, action = name[0].partition("/")
        place = (headers.get("X-Vault-Namespace", "").strip("/"), name)
        if operation == "keys":
            return self.key(method, place, action, body)
        key = self.keys.get(place)
        if key is None:
            raise Refused(400, "encryption key not found")
        if operation == "encrypt":
            try:
                plaintext = base64.b64decode(body["plaintext"], validate=True)
            except (KeyError, binascii.Error):
                raise Refused(400, "failed to base64-decode plaintext") from None
            return 200, {"ciphertext": key.encrypt(plaintext), "key_version": len(key.versions)}
        plaintext = key.decrypt(body.get("ciphertext", ""))
        if operation == "decrypt":
            return 200, {"plaintext": base64.b64encode(plaintext).decode()}
        if operation == "rewrap":
            return 200, {"ciphertext": key.encrypt(plaintext), "key_version": len(key.versions)}
        raise Refused(404, "unsupported path")

    def key(self, method, place, action, body):
        if method in ("POST", "PUT") and not action:
            self.keys.setdefault(place, Key())
        key = self.keys.get(place)
        if key is None:
            raise Refused(404 if method == "GET" else 400, *([] if method == "GET" else ["key not found"]))
        if action == "rotate":
            key.rotate()
        if action == "config":
            key.min_decryption_version = int(body["min_decryption_version"])
        return 200, {
            "name": place[1],
            "type": "aes256-gcm96",
            "latest_version": len(key.versions),
            "min_decryption_version": key.min_decryption_version,
        }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        try:
            with self.server.vault.lock:
                path = self.path.removeprefix("/v1/")
                status, data = self.server.vault.answer(self.command, path, self.headers, body)
            is_bare = data is None or path.startswith("sys/")
            answer = data if is_bare else {"request_id": "", "lease_id": "", "data": data}
        except Refused as refused:
            status, answer = refused.status, {"errors": refused.errors}
        content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = handle_one

    def log_message(self, *_):
        pass


def main():
    port, token = int(sys.argv[1]), sys.argv[2]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.vault = Vault(token)
    server.serve_forever()


if __name__ == "__main__":
    main()
