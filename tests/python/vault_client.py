"""Asks vault_transit.py with the client that people ask Vault with, and ends with an error where it is not like Vault.

    vault_client.py URL TOKEN
"""

import base64
import sys

import hvac


def refused(kind, work, *said):
    try:
        work()
    except kind as error:
        assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}"
        assert all(word in str(error) for word in said), str(error)
    else:
        raise AssertionError(f"{kind.__name__} was expected")


def text(plaintext):
    return base64.b64encode(plaintext).decode()


def main():
    url, token = sys.argv[1:]
    vault = hvac.Client(url=url, token=token)
    transit = vault.secrets.transit
    transit.create_key(name="client")

    def key():
        return transit.read_key(name="client")["data"]

    assert key()["type"] == "aes256-gcm96" and key()["latest_version"] == 1

    encrypt = lambda: transit.encrypt_data(name="client", plaintext=text(b"a key"))["data"]["ciphertext"]
    decrypt = lambda it: transit.decrypt_data(name="client", ciphertext=it)["data"]["plaintext"]
    first = encrypt()
    assert first.startswith("vault:v1:") and first != encrypt()
    assert base64.b64decode(decrypt(first)) == b"a key"

    transit.rotate_key(name="client")
    assert key()["latest_version"] == 2 and encrypt().startswith("vault:v2:")
    second = transit.rewrap_data(name="client", ciphertext=first)["data"]["ciphertext"]
    assert second.startswith("vault:v2:")
    assert decrypt(second) == decrypt(first) == text(b"a key")

    altered = second[:-6] + ("AAAA" if second[-6:-2] != "AAAA" else "BBBB") + second[-2:]
    invalid = hvac.exceptions.InvalidRequest
    refused(invalid, lambda: decrypt(altered), "message authentication failed")
    refused(invalid, lambda: decrypt("nothing"), "invalid ciphertext")
    refused(invalid, lambda: transit.encrypt_data(name="nobody", plaintext=text(b"")), "not found")
    refused(hvac.exceptions.InvalidPath, lambda: transit.read_key(name="nobody"))
    transit.update_key_configuration(name="client", min_decryption_version=2)
    refused(invalid, lambda: decrypt(first), "too old")

    stranger = hvac.Client(url=url, token="another").secrets.transit
    refused(
        hvac.exceptions.Forbidden,
        lambda: stranger.decrypt_data(name="client", ciphertext=second),
        "permission denied",
    )
    elsewhere = hvac.Client(url=url, token=token, namespace="elsewhere").secrets.transit
    refused(invalid, lambda: elsewhere.decrypt_data(name="client", ciphertext=second), "not found")

    assert not vault.sys.is_sealed()
    vault.sys.seal()
    refused(hvac.exceptions.VaultDown, lambda: decrypt(second), "sealed")
    assert vault.sys.is_sealed()
    print("like Vault")


if __name__ == "__main__":
    main()
