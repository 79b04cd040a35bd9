"""Tokens as a shop signs them: by Python's or openssl's signatures, not cartd's."""

import base64
import hashlib
import hmac
import json
import secrets
import subprocess


def encoded(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Secret:
    """A key for HS256, in a file."""

    def __init__(self, folder, name):
        self.file = folder / f"{name}.key"
        self.text = secrets.token_hex(32)
        self.file.write_text(self.text)
        self.file.chmod(0o600)

    def token(self, payload, algorithm="HS256", digest=hashlib.sha256, **header):
        return self.sign(f'{encoded({"alg": algorithm} | header)}.{encoded(payload)}', self.text.encode(), digest)

    @staticmethod
    def sign(message, key, digest=hashlib.sha256):
        return f"{message}.{encoded(hmac.digest(key, message.encode(), digest))}"


class KeyPair:
    """A private key, and its public one in a file, for RS256 or ES256."""

    KINDS = {"RS256": ["RSA", "rsa_keygen_bits:2048"], "ES256": ["EC", "ec_paramgen_curve:P-256"]}

    def __init__(self, folder, algorithm):
        self.algorithm = algorithm
        kind, option = self.KINDS[algorithm]
        self.private, self.file = folder / "private.pem", folder / "public.pem"
        self.openssl("genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", self.private)
        self.openssl("pkey", "-in", self.private, "-pubout", "-out", self.file)
        self.file.chmod(0o644)

    @staticmethod
    def openssl(*arguments, **options):
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True, **options).stdout

    def token(self, payload):
        message = f'{encoded({"alg": self.algorithm})}.{encoded(payload)}'
        signature = self.openssl("dgst", "-sha256", "-sign", self.private, input=message.encode())
        if self.algorithm == "ES256":
            signature = self.joined(signature)
        return f"{message}.{encoded(signature)}"

    @staticmethod
    def joined(der):
        """Both numbers of a signature as 32 bytes each (RFC 7518, section 3.4): openssl writes them in DER."""
        size = der[3]
        numbers = [der[4:4 + size], der[6 + size:]]
        return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in numbers)
