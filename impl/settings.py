"""What a person says about one node, in a TOML file or as flags, checked before anything is opened.

It does not know how a node works with it. A file looks so (durations carry their unit in their name, and whatever
has a default may be left out):

    cluster = "orchard"
    node    = "a"
    client  = "127.0.0.1:7001"      # where clients reach this node
    data    = "/var/lib/quorate/a"  # its durable log; relative to the file's own folder
    trace   = "/var/log/quorate"    # one trace file per boot; leave it out to record nothing

    [peers]                         # all members, this node included; the same at every node
    a = "10.0.0.1:7101"
    b = "10.0.0.2:7101"
    c = "10.0.0.3:7101"

    [quorums]                       # flexible quorums; 0, the default, is a majority
    phase1 = 2
    phase2 = 2

    [timing]
    heartbeat_ms    = 50
    election_ms_min = 500
    election_ms_max = 1000

    [clients]
    password    = "scrypt$..."      # what `quorate password` makes of one; leave it out to ask for none
    redirect    = false             # followers send clients to the leader rather than their commands

    [tls]                           # `quorate certs` makes these for trying out
    authority   = "authority.pem"   # nodes, and with clients = true clients, believe whom this one signed
    certificate = "a.pem"
    key         = "a.key"
    clients     = false             # clients speak TLS as well
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from ..quoting import quoted, shortened, shown
from .core.config import Config
from .passwords import check as check_password


class SettingsError(Exception):
    """A setting is missing or cannot be used; the text is one line that names the key and what would do."""


class Address(BaseModel):
    """A host and a TCP port, written `host:port` (`[::1]:7001` for IPv6)."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Can only this machine reach it?"""
        return self.host == "localhost" or self.host.startswith("127.") or self.host == "::1"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with a sentence for a person."""
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isascii() or not port.isdigit():
            raise ValueError(f"{quoted(text)} is no address; write host:port, as 127.0.0.1:7001")
        if len(port) > PORT_DIGITS_MAX or not 1 <= int(port) <= 65535:
            raise ValueError(f"{quoted(text)} has no possible port; choose 1 to 65535")
        name = host.removeprefix("[").removesuffix("]")
        if not is_host(name):
            raise ValueError(
                f"{quoted(text)} has no possible host; write a name or an IP address before the port"
            )
        return cls(host=name, port=int(port))


PORT_DIGITS_MAX: Final = 5
_HOST: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")


def is_host(text: str) -> bool:
    """Is it an IP address, or may a machine be called so?"""
    if not text.isprintable():
        return False
    try:
        return bool(ip_address(text))
    except ValueError:
        pass
    try:
        return _HOST.fullmatch(text.encode("idna").decode()) is not None
    except UnicodeError:
        return False


def _address(given: object) -> object:
    if isinstance(given, str):
        return Address.parse(given)
    if isinstance(given, Address):
        return given
    raise ValueError(f'{shown(given)} is no address; write host:port in quotes, as "127.0.0.1:7001"')


AddressText = Annotated[Address, BeforeValidator(_address), PlainSerializer(str)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
_name: Final[TypeAdapter[str]] = TypeAdapter(Name)


PATH_LENGTH_MAX: Final = 4096


def _usable(path: Path) -> Path:
    """What no system would take for a path is no setting."""
    if "\0" in str(path) or len(str(path)) > PATH_LENGTH_MAX:
        raise ValueError(f"{quoted(str(path))} is no path; name a file or a folder")
    return path


PathText = Annotated[Path, Strict(False), AfterValidator(_usable)]
Milliseconds = Annotated[int, Field(ge=1, le=3_600_000)]


def is_name(text: str) -> bool:
    """May a cluster or a node be called so?"""
    try:
        return _name.validate_python(text) == text
    except ValidationError:
        return False


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Quorums(_Section):
    """How many nodes make a quorum in each phase; 0 is a majority."""

    phase1: int = Field(default=0, ge=0)
    phase2: int = Field(default=0, ge=0)


class Timing(_Section):
    """How patient a node is; see `impl.core.config`."""

    heartbeat_ms: Milliseconds = 50
    resend_ms: Milliseconds = 200
    election_ms_min: Milliseconds = 500
    election_ms_max: Milliseconds = 1000
    quorum_ms: Milliseconds = 3000
    reconnect_ms_max: Milliseconds = 1000
    """The longest pause between two attempts to reach a peer."""
    stop_ms_max: int = Field(default=10_000, ge=0, le=3_600_000)
    """An orderly stop that takes longer is cut short."""


class Clients(_Section):
    """How clients are treated."""

    password: Annotated[str, AfterValidator(check_password)] | None = None
    """A hash of it; clients must AUTH with it."""
    redirect: bool = False
    """A follower answers -MOVED with the leader's address, rather than forward what it is asked."""
    max: int = Field(default=4096, ge=1, le=1_000_000)
    """Connections at once."""
    patience_ms: Milliseconds = 5000
    """A command that has no answer for so long is told so."""
    idle_ms_max: Milliseconds = 30_000
    """An unfinished command, or a client without the password, is not waited for longer than about this."""


class Tls(_Section):
    """Whom to believe, and what to be believed by: PEM files."""

    authority: PathText
    certificate: PathText
    key: PathText
    clients: bool = False
    """Clients speak TLS too. They need no certificate of their own."""


REPLICA_TIMING = {"heartbeat_ms", "resend_ms", "election_ms_min", "election_ms_max", "quorum_ms"}
"""Of the timing, what the replica is to know; the rest is for the process around it."""


class Settings(_Section):
    """All that one node is told. Frozen; `load_settings` reads it."""

    cluster: Name
    node: Name
    client: AddressText
    data: PathText
    trace: PathText | None = None
    peers: dict[Name, AddressText]
    quorums: Quorums = Quorums()
    timing: Timing = Timing()
    clients: Clients = Clients()
    tls: Tls | None = None
    """Without it nodes believe each other's word: for a network that nobody else is in."""
    admin: AddressText | None = None
    """Where health, metrics and administration are asked for over HTTP; nowhere if left out."""
    admin_anywhere: bool = False
    """Allow `admin` to be another address than the loopback's: whoever reaches it may do what an administrator may."""
    log: Literal["text", "json"] = "text"
    """How the process logs to standard error: lines for people, or one JSON object a line."""
    trace_values: Literal["digest", "whole"] = "digest"
    """How a trace shows values: large ones as digests, or all as they are, in base64. The same at every node."""
    trace_file_bytes: int = Field(default=256 << 20, ge=4096, le=1 << 40)
    """A trace goes on in a new file when one has so many bytes."""
    segment_bytes: int = Field(default=16 << 20, ge=4096, le=1 << 30, multiple_of=4096)
    """The size of a file of the durable log."""
    checkpoint_entries: int = Field(default=20_000, ge=0, le=1_000_000_000)
    """A checkpoint is due after so many slots; 0 for none, ever."""
    checkpoint_bytes: int = Field(default=64 << 20, ge=1, le=128 << 20)
    """Or after so many bytes of commands."""
    log_bytes_max: int = Field(default=192 << 20, ge=1, le=192 << 20)
    """What the log above the last checkpoint may hold: when it is full nothing is taken before there is another."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """What the replica would refuse is refused here, before a folder or a port is touched."""
        self.replica_config(boot=1)
        if self.client in self.peers.values():
            raise ValueError(
                f"client: {self.client} is also a peer's address; give clients a port of their own"
            )
        if len(set(self.peers.values())) != len(self.peers):
            raise ValueError("peers: two nodes have the same address; give each its own")
        if self.tls is not None and (dotted := [name for name in self.peers if "." in name]):
            raise ValueError(
                f"peers: {dotted[0]} has a dot, and its certificate could be that of another cluster's node; "
                "with tls a node's name has none"
            )
        if self.admin is not None and not self.admin_anywhere and not self.admin.is_loopback:
            raise ValueError(
                f"admin: {self.admin} can be reached from elsewhere and asks for no password; "
                "use 127.0.0.1, or set admin_anywhere = true"
            )
        return self

    @property
    def peer(self) -> Address:
        """Where the other nodes reach this one."""
        return self.peers[self.node]

    def replica_config(self, boot: int) -> Config:
        """The part that the replica is to know. Raises ConfigError."""
        return Config(
            node=self.node,
            nodes=tuple(sorted(self.peers)),
            boot=boot,
            phase1=self.quorums.phase1,
            phase2=self.quorums.phase2,
            checkpoint_entries=self.checkpoint_entries,
            checkpoint_bytes=self.checkpoint_bytes,
            log_bytes_max=self.log_bytes_max,
            **self.timing.model_dump(include=REPLICA_TIMING),
        )


def load_settings(path: Path | None = None, flags: Mapping[str, object] | None = None) -> Settings:
    """Settings from a TOML file, from flags, or from a file with flags that win over it.

    A flag is named as its key, with a dot before a section's: `{"timing.heartbeat_ms": 20, "peers.a": "..."}`;
    one whose value is None was not given. Relative folders of a file count from the file's own folder. Raises
    SettingsError.
    """
    given: dict[str, Any] = {} if path is None else _read(path)
    for section, keys in (
        (given, ("data", "trace")),
        (given.get("tls"), ("authority", "certificate", "key")),
    ):
        for key in keys:
            if path is not None and isinstance(section, dict) and isinstance(section.get(key), str):
                section[key] = path.parent / section[key]
    for name, value in (flags or {}).items():
        if value is not None:
            _put(given, name, value)
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise SettingsError(_one_line(path, error)) from error


def _put(given: dict[str, Any], name: str, value: object) -> None:
    """Set the key `name`, or `section.name`; a section that is none is left for the check to complain of."""
    section, dot, key = name.partition(".")
    inner = given.get(section, {})
    if not dot:
        given[name] = value
    elif isinstance(inner, dict):
        given[section] = {**inner, key: value}


FILE_BYTES_MAX: Final = 1 << 20


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
        if len(text) > FILE_BYTES_MAX:
            raise SettingsError(f"{path}: has more than {FILE_BYTES_MAX:,} bytes; name a settings file")
        return tomllib.loads(text.decode())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}; name a settings file") from error
    except ValueError as error:
        raise SettingsError(f"{path}: is no TOML: {shortened(str(error), 200)}") from error
    except RecursionError as error:
        raise SettingsError(f"{path}: is nested too deeply; name a settings file") from error


def _one_line(path: Path | None, error: ValidationError) -> str:
    """The first fault, with its key; what is wrong with all of it together has its key in the text already.

    Of a misspelt key that leaves another one missing, the misspelling is told.
    """
    fault = min(error.errors(include_url=False), key=lambda fault: fault["type"] == "missing")
    key = ".".join(quoted(str(part))[1:-1] for part in fault["loc"] if part != "[key]")
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, ValueError):
        what = str(cause)
    else:
        what = _PLAIN.get(fault["type"]) or f"{shown(fault['input'])} will not do; {_said(fault)}"
    return ": ".join(part for part in (str(path or ""), key, what) if part)


def _said(fault: ErrorDetails) -> str:
    said = _ADVICE.get(fault["type"], fault["msg"])
    return said[0].lower() + said[1:]


_PLAIN = {
    "missing": "is missing; set it",
    "extra_forbidden": "there is no such setting; remove it, or check its spelling",
    "string_pattern_mismatch": "letters, digits, '.', '_' and '-' make a name",
}
"""What is wrong, where it says nothing to repeat what was given."""

_ADVICE = {
    "bool_type": "write true or false, without quotes",
    "dict_type": "it is a section, as [peers]",
    "int_type": "write a whole number, without quotes",
    "model_type": "it is a section, as [timing]",
    "path_type": "write a path, in quotes",
    "string_type": "write it in quotes",
}
"""What to do, where pydantic speaks to programmers."""
