"""What a server's certificate says of itself. Pure."""

from cryptography import x509

from k8s.preflight.seen import Certificate

_MOST_NAMES = 20  # of a certificate, that are told
_LONGEST_ISSUER = 200


def shown(certificate: x509.Certificate | None) -> Certificate | None:
    """None for none, and for one that cannot be read."""
    if certificate is None:
        return None
    try:
        issuer, expires = certificate.issuer.rfc4514_string(), certificate.not_valid_after_utc.timestamp()
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [str(one) for one in alternative.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        names = []
    except ValueError:
        return None
    return Certificate(issuer[:_LONGEST_ISSUER], expires, tuple(names[:_MOST_NAMES]))


def names_host(certificate: Certificate, host: str) -> bool:
    """One of its names is the host, or a wildcard of the host's own domain."""
    names = {name.lower() for name in certificate.names}
    return host in names or f"*.{host.partition('.')[2]}" in names
