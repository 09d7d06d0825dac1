"""The CA files by which nginx and the probes trust new: copies by content in the run folder, so that a file that changes is
another structure, and one that vanishes takes nothing away, neither from an nginx that starts anew nor from an agent that does.
"""

import contextlib
import hashlib
import re
import ssl
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

LARGEST = 4 * 1024 * 1024  # bytes; a system's bundle has a quarter of a megabyte
SENTENCES = 8  # files that are spelled out in the report
_COPY = re.compile(r"[0-9a-f]{16}\.pem")
_Version = tuple[int, int, int]  # of a file: inode, when it was changed (nanoseconds), its size (bytes)


class Unfit(Exception):
    """Half a sentence: why a file is not trusted."""


class TrustFiles:
    """`given`: the folder of the services' CA files; `default_given`: the bundle of services that name none.

    `named` is a folder with a link of the same name for each file that was copied, `default` such a link: they lead to what is
    in force. `trouble`: a sentence for each file that could not be taken as it is now.
    """

    def __init__(self, run: Path, *, given: Path, default_given: Path) -> None:
        self._folder = run / "ca"
        self.named = self._folder / "named"
        self.default = self._folder / "default.pem"
        self._given = given
        self._default_given = default_given
        self._seen: dict[Path, _Version] = {}
        self.trouble: list[str] = []

    def copy_of(self, name: str | None) -> str | None:
        """The copy that is in force, made now if there is none; None where there is nothing to copy. `name` None: the bundle."""
        link = self._link(name)
        if (copy := self._copy_behind(link)) is None:
            with contextlib.suppress(OSError, Unfit):
                self._take(self._source(name), link)
            copy = self._copy_behind(link)
        return None if copy is None else str(copy)

    def look(self, names: Iterable[str]) -> None:
        """Copies what has changed since the last look, the bundle too."""
        trouble = []
        for name in (None, *sorted(set(names))):
            source, link = self._source(name), self._link(name)
            try:
                self._take(source, link)
            except (OSError, Unfit) as error:
                why = f"cannot be copied ({error.strerror})" if isinstance(error, OSError) else str(error)
                trouble.append(_sentence(source, why, kept=self._copy_behind(link) is not None))
        if (more := len(trouble) - SENTENCES) > 0:
            trouble[SENTENCES:] = [f"{more} more CA files cannot be used as they are; look at {self._given}"]
        self.trouble = trouble

    def forget_others(self, names: Iterable[str], *, served: Collection[str]) -> None:
        """Removes the links of other names, and copies that no link leads to and that are not `served` by nginx."""
        wanted = set(names)
        for link in _listed(self.named, lambda one: one.name not in wanted):
            self._seen.pop(link, None)
            _remove(link)
        kept = {self._copy_behind(link) for link in (self.default, *_listed(self.named, lambda _: True))}
        for copy in _listed(self._folder, lambda one: _COPY.fullmatch(one.name) is not None):
            if copy not in kept and str(copy) not in served:
                _remove(copy)

    def _source(self, name: str | None) -> Path:
        return self._default_given if name is None else self._given / name

    def _link(self, name: str | None) -> Path:
        return self.default if name is None else self.named / name

    def _copy_behind(self, link: Path) -> Path | None:
        try:
            copy = self._folder / link.readlink().name
        except OSError:
            return None
        return copy if copy.exists() else None

    def _take(self, source: Path, link: Path) -> None:
        """Raises Unfit when it is not there or holds no certificates, OSError when it cannot be copied."""
        try:
            version = _version(source)
            if self._seen.get(link) == version and self._copy_behind(link) is not None:
                return
            with source.open("rb") as file:
                content = file.read(LARGEST + 1)
        except OSError as error:
            raise Unfit(f"cannot be read ({error.strerror})") from None
        copy = self._folder / f"{hashlib.sha256(content).hexdigest()[:16]}.pem"
        self.named.mkdir(parents=True, exist_ok=True)
        if not copy.exists():
            _put(copy, content)
        fresh = link.with_name(f".{link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(copy)
        fresh.replace(link)
        self._seen[link] = version


def _put(copy: Path, content: bytes) -> None:
    """Whole or not there, and only what can be trusted. Raises Unfit or OSError."""
    if len(content) > LARGEST:
        raise Unfit(f"has more than {LARGEST} bytes")
    fresh = copy.with_suffix(".new")
    try:
        fresh.write_bytes(content)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=str(fresh))  # as nginx reads it
        if not context.cert_store_stats()["x509"]:
            raise Unfit("holds no certificate in PEM form")
        fresh.replace(copy)
    except ssl.SSLError:
        raise Unfit("holds no certificates in PEM form, or one that is damaged") from None
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def _version(path: Path) -> _Version:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _listed(folder: Path, chosen: Callable[[Path], bool]) -> list[Path]:
    try:
        return [one for one in folder.iterdir() if chosen(one)]
    except OSError:
        return []


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _sentence(source: Path, why: str, *, kept: bool) -> str:
    if kept:
        return f"the CA file {source} {why}: what it held last stays in force, for nginx and for probes; put it right"
    return f"the CA file {source} {why}: nobody can be trusted by it, so its services are not sent to new; put it there"
