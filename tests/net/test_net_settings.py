"""Settings come from a file, from flags, or both; what cannot work is named by its key, in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quorate.impl.net.cluster import to_toml
from quorate.impl.settings import Address, Settings, SettingsError, load_settings

PEERS = {"a": "10.0.0.1:7101", "b": "10.0.0.2:7101", "c": "10.0.0.3:7101"}
GOOD: dict[str, object] = {
    "cluster": "orchard",
    "node": "a",
    "client": "127.0.0.1:7001",
    "data": "/data",
    "peers": PEERS,
}

FILE = """
cluster = "orchard"
node    = "a"
client  = "127.0.0.1:7001"
data    = "data/a"
trace   = "/var/trace"

[peers]
a = "10.0.0.1:7101"
b = "10.0.0.2:7101"
c = "[::1]:7101"

[quorums]
phase1 = 3
phase2 = 1

[timing]
heartbeat_ms = 20
"""


def refusal(path: Path | None = None, **changes: Any) -> str:
    flags = {**GOOD, **{name.replace("__", "."): value for name, value in changes.items()}}
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {name: value for name, value in flags.items() if value is not ...})
    text = str(caught.value)
    assert "\n" not in text
    assert "pydantic" not in text
    return text


def test_a_file_is_read_and_its_folders_count_from_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(FILE)
    read = load_settings(path)
    assert (read.data, read.trace) == (tmp_path / "data/a", Path("/var/trace"))
    assert read.peers["c"] == Address(host="::1", port=7101)
    assert str(read.peers["c"]) == "[::1]:7101"
    assert read.peer == Address(host="10.0.0.1", port=7101)
    config = read.replica_config(boot=7)
    assert (config.boot, config.nodes, config.phase1, config.phase2) == (7, ("a", "b", "c"), 3, 1)
    assert (config.heartbeat_ms, config.election_ms_min) == (20, 500)


def test_flags_win_over_the_file_and_none_is_no_flag(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(FILE)
    read = load_settings(path, {"node": "b", "timing.heartbeat_ms": 30, "data": "elsewhere", "trace": None})
    assert (read.node, read.timing.heartbeat_ms, read.data) == ("b", 30, Path("elsewhere"))
    assert read.trace == Path("/var/trace")


def test_flags_alone_do() -> None:
    assert load_settings(flags=GOOD).quorums.phase1 == 0


def test_settings_written_as_a_file_are_read_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    settings = load_settings(flags={**GOOD, "data": '/odd "name"\\\t\u00e4', "timing.resend_ms": 77})
    path.write_text(to_toml(settings), encoding="utf-8")
    assert load_settings(path) == settings


TLS = {name: Path(f"{name}.pem") for name in ("authority", "certificate", "key")}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"node": ...}, "node: is missing"),
        ({"node": "x"}, "'x' is not among the nodes"),
        ({"node": ""}, "node: "),
        ({"node": "a/b"}, "node: letters"),
        ({"client": "7001"}, "client: '7001' is no address"),
        ({"client": "localhost:http"}, "client: "),
        ({"client": "localhost:70000"}, "possible port"),
        ({"client": 7001}, "client"),
        ({"client": "10.0.0.2:7101"}, "also a peer's address"),
        ({"peers": {**PEERS, "b": "10.0.0.1:7101"}}, "same address"),
        ({"peers": {**PEERS, "b": "nowhere"}}, "peers.b: 'nowhere' is no address"),
        ({"peers": {**PEERS, "b c": "x:1"}}, "peers.b c: letters"),
        ({"peers": {}}, "not among the nodes"),
        ({"quorums__phase1": 1}, "phase1, phase2: quorums of 1 and 2 among 3 nodes need not meet"),
        ({"quorums__phase1": 9}, "phase1: a quorum of 9"),
        ({"quorums__phase1": -1}, "quorums.phase1"),
        ({"timing__heartbeat_ms": 0}, "timing.heartbeat_ms"),
        ({"timing__heartbeat_ms": "soon"}, "timing.heartbeat_ms"),
        ({"timing__election_ms_min": 2000}, "election_ms_max: 1000 is too small"),
        ({"timing__heartbeet_ms": 5}, "timing.heartbeet_ms: there is no such setting"),
        ({"colour": "blue"}, "colour: there is no such setting"),
        ({"segment_bytes": 5000}, "segment_bytes: 5000 will not do"),
        ({"segment_bytes": 10**18}, "segment_bytes: 1000000000000000000 will not do; input should be less"),
        ({"segment_bytes": 1e18}, "segment_bytes: 1e+18 will not do; write a whole number"),
        ({"segment_bytes": True}, "segment_bytes: True will not do"),
        ({"checkpoint_bytes": 1 << 28}, "checkpoint_bytes"),
        ({"checkpoint_entries": "20"}, "checkpoint_entries: '20' will not do; write a whole number"),
        ({"trace_file_bytes": 1 << 50}, "trace_file_bytes"),
        ({"admin_anywhere": "yes"}, "admin_anywhere: 'yes' will not do; write true or false"),
        ({"timing__stop_ms_max": 10**21}, "timing.stop_ms_max"),
        ({"timing__election_ms_max": 10**21}, "timing.election_ms_max"),
        ({"clients__max": 10**21}, "clients.max"),
        ({"client": "..:1"}, "client: '..:1' has no possible host"),
        ({"client": "a b:1"}, "client: 'a b:1' has no possible host"),
        ({"admin": {"host": "127.0.0.1", "port": 99999}}, "admin: {'host'"),
        ({"log_bytes_max": 1 << 30}, "log_bytes_max"),
        (
            {"peers": {"a.b": "10.0.0.1:7101"}, "node": "a.b", "tls": TLS},
            "a.b has a dot, and its certificate could be that of another cluster's node",
        ),
        ({"trace": 5}, "trace: 5 will not do; write a path"),
        ({"trace": "a\0b"}, "trace: 'a\\x00b' is no path"),
        ({"timing": 5}, "timing: 5 will not do; it is a section"),
    ],
)
def test_what_cannot_work_is_named(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(**changes)


@pytest.mark.parametrize(
    "key", ["node", "client", "log", "data", "timing", "segment_bytes", "y" * 9999, "a\nb"]
)
def test_what_is_long_is_not_quoted_whole(key: str) -> None:
    assert len(refusal(**{key: "x" * 9999})) < 300


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b"a = " + b"9" * 5000, "is no TOML"),
        (b"#" * (1 << 21), "has more than 1,048,576 bytes"),
        (b"cluster = ", "is no TOML"),
        (b"\xff\xfe", "is no TOML"),
        (b'cluster = "c"\nnode = "a"\nclient = "h:1"\ndata = "d"\npeers = "a"', "peers: "),
        (FILE.encode().replace(b"7001", b"0"), "client: "),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert words in text
    assert "\n" not in text


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(SettingsError, match="cannot be read"):
            load_settings(path)


def test_a_flag_inside_what_is_no_section_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text('timing = 5\ncluster = "orchard"\n')
    with pytest.raises(SettingsError, match="timing"):
        load_settings(path, {"timing.heartbeat_ms": 5})


def test_settings_cannot_change() -> None:
    settings: Settings = load_settings(flags=GOOD)
    with pytest.raises(ValueError, match="frozen"):
        settings.node = "b"
