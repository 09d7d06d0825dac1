"""Signatures over verbatim bytes: the bot signs records and operations, every agent verifies them.

Ed25519. A key's id is the first 16 hex digits of the SHA-256 of its raw public bytes, so that an id cannot lie about
its key. Agents hold a set of public keys: rotation adds one, re-signs, and removes the other.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519


def key_id(public: ed25519.Ed25519PublicKey) -> str:
    """16 hex digits."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


class Signer:
    """The bot's private key. `from_pem` raises ValueError with a sentence when the text is no Ed25519 private key."""

    def __init__(self, private: ed25519.Ed25519PrivateKey) -> None:
        self._private = private
        self.key_id = key_id(private.public_key())

    @classmethod
    def generate(cls) -> "Signer":
        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> "Signer":
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"the signing key is no PEM private key ({type(error).__name__}); make one with `ferry keys`"
            ) from None
        if not isinstance(private, ed25519.Ed25519PrivateKey):
            raise ValueError("the signing key is no Ed25519 key; make one with `ferry keys`")  # noqa: TRY004 a wrong file, not a wrong type
        return cls(private)

    def private_pem(self) -> bytes:
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def public_pem(self) -> bytes:
        return self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, message: bytes) -> str:
        """Base64 of the 64-byte signature."""
        return base64.b64encode(self._private.sign(message)).decode()


class Verifier:
    """A set of trusted public keys."""

    def __init__(self, keys: Iterable[ed25519.Ed25519PublicKey]) -> None:
        self._keys = {key_id(key): key for key in keys}

    @classmethod
    def from_pems(cls, pems: Iterable[bytes]) -> "Verifier":
        """Raises ValueError with a sentence for a text that is no Ed25519 public key."""
        keys = []
        for pem in pems:
            try:
                key = serialization.load_pem_public_key(pem)
            except (ValueError, TypeError) as error:
                raise ValueError(
                    f"a public key cannot be read ({type(error).__name__}); it must be PEM as `ferry keys` prints it"
                ) from None
            if not isinstance(key, ed25519.Ed25519PublicKey):
                raise ValueError("a public key is no Ed25519 key; make one with `ferry keys`")  # noqa: TRY004
            keys.append(key)
        return cls(keys)

    @property
    def key_ids(self) -> tuple[str, ...]:
        return tuple(sorted(self._keys))

    def verify(self, key: str, message: bytes, signature: str) -> bool:
        """False for an unknown key, a broken text, or a signature that does not fit."""
        public = self._keys.get(key)
        if public is None:
            return False
        try:
            public.verify(base64.b64decode(signature, validate=True), message)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True
