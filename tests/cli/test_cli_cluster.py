"""The commands around a cluster: try one out, see how it is, make what it needs; bad input is refused in one line."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from quorate.cli.main import run
from quorate.impl.certificates import make_certificates
from quorate.impl.net.cluster import LocalCluster, free_ports
from quorate.impl.passwords import is_right

PATIENCE_S = 120


def quorate(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quorate", *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_a_cluster_is_started_acted_on_and_ended(tmp_path: Path) -> None:
    typed = 'status\nkill a\nstatus\nkill a\nrestart a\npause b\nresume b\npause c\nnonsense\nkill x\nkill "\nquit\n'
    done = quorate("cluster", "up", "-n", "3", "--folder", str(tmp_path / "cluster"), typed=typed)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["a", "b", "c"]
    assert sum("leads" in line for line in lines[:3]) == 1
    assert "a: kill" in lines
    assert "no answer:" in done.stdout
    assert "a: is not running; restart it first" in lines
    assert "'x' is no node; the nodes are a, b, c" in lines
    assert "'\"' is no node; the nodes are a, b, c" in lines
    assert done.stdout.count("end it with quit") == 2, "once at the start, once for the line that is nothing"
    again = quorate("cluster", "up", "--folder", str(tmp_path / "cluster"))
    assert again.returncode == 2
    assert "holds a cluster already" in again.stderr


def test_a_folder_that_is_relative_holds_all_of_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert quorate("cluster", "up", "-n", "1", "--folder", "here", typed="quit\n").returncode == 0
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"a", "a.log", "a.toml", "trace"}


def test_a_cluster_that_is_told_to_end_leaves_no_process(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "quorate", "cluster", "up", "-n", "3", "--folder", str(tmp_path / "cluster")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        addresses = [process.stdout.readline().split()[3] for _ in "abc"]
        process.terminate()
        _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err.strip()) == (130, "quorate: interrupted")
    for address in addresses:
        host, _, port = address.partition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))


def test_a_folder_below_a_file_is_told_before_a_node_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for arguments in (["cluster", "up"], ["certs", "--cluster", "c", "a"]):
        option = "--folder" if arguments[0] == "cluster" else "--into"
        done = quorate(*arguments, option, str(tmp_path / "file" / "below"))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "is no folder" in done.stderr


def test_a_node_that_is_asked_twice_is_no_majority(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster") as cluster:
        leader = cluster.wait_for_leader()
        address = str(cluster.clients[leader])
        assert quorate("status", address, address).returncode == 1


@pytest.mark.parametrize("content", [None, b"junk", b"\xff\xfe"])
def test_an_authority_that_cannot_be_used_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    authority = tmp_path / "authority.pem"
    if content is not None:
        authority.write_bytes(content)
    done = quorate("status", "--authority", str(authority), "127.0.0.1:1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert str(authority) in done.stderr
    assert "`quorate certs` makes" in done.stderr


def test_status_shows_every_node_and_says_whether_the_cluster_works(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster") as cluster:
        leader = cluster.wait_for_leader()
        addresses = [str(address) for address in cluster.clients.values()]
        done = quorate("status", *addresses)
        assert done.returncode == 0, done.stdout
        head, *rows = done.stdout.splitlines()
        assert head.split()[:4] == ["node", "role", "leader", "promised"]
        assert {row.split()[0]: row.split()[2] for row in rows} == dict.fromkeys("abc", leader)
        found = json.loads(quorate("status", "--json", *addresses).stdout)
        assert sorted(one["node"] for one in found.values()) == ["a", "b", "c"]
        one = next(name for name in cluster.nodes if name != leader)
        assert quorate("status", str(cluster.clients[one])).returncode == 1, "one of three is no majority"
        cluster.kill(one)
        done = quorate("status", *addresses)
        assert "no answer: " + str(cluster.clients[one]) in done.stdout


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:0", "127.0.0.1", "..:1", "a b:1"])
def test_what_is_no_address_is_refused_in_one_line(address: str) -> None:
    done = quorate("status", address)
    assert done.returncode == 2
    assert address in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_answering_is_not_a_cluster_that_works() -> None:
    done = quorate("status", f"127.0.0.1:{free_ports(1)[0]}")
    assert done.returncode == 1
    assert done.stdout.startswith("no answer: ")


def test_certificates_are_made_once_for_each_node(tmp_path: Path) -> None:
    into = str(tmp_path / "tls")
    done = quorate("certs", "--cluster", "orchard", "--into", into, "a", "b")
    assert done.returncode == 0
    assert [Path(line).name for line in done.stdout.splitlines()] == [
        "authority.pem", "authority.key", "a.pem", "a.key", "b.pem", "b.key",
    ]  # fmt: skip
    assert quorate("certs", "--cluster", "orchard", "--into", into, "c").returncode == 0
    again = quorate("certs", "--cluster", "orchard", "--into", into, "a")
    assert again.returncode == 2
    assert "a.pem" in again.stderr or "a.key" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cluster", "orchard", "\u00e4"], "'\u00e4' is no name"),
        (["--cluster", "orchard", "a/b"], "'a/b' is no name"),
        (["--cluster", "orchard", ""], "'' is no name"),
        (["--cluster", "", "a"], "'' is no name"),
        (["--cluster", "orchard", "a", "a"], "stands twice"),
        (["--cluster", "orchard", "authority"], "cannot be called authority"),
        (["--cluster", "orchard", "--host", "", "a"], "--host: '' is no host"),
        (["--cluster", "orchard", "--host", "a b", "a"], "--host: 'a b' is no host"),
        (["--cluster", "orchard", "--host", "a" * 999, "a"], "aaa...aaa"),
    ],
)
def test_what_cannot_be_certified_is_told_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(["certs", "--into", str(tmp_path / "tls"), *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "tls").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("authority.key", "junk", "is no private key"),
        ("authority.key", None, "is missing"),
        ("authority.key", "other", "is not the key of"),
        ("authority.pem", "junk", "is no certificate"),
        ("authority.pem", None, "is missing"),
    ],
)
def test_an_authority_that_is_damaged_signs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str | None, words: str
) -> None:
    make_certificates(tmp_path / "tls", "orchard", "a", [])
    make_certificates(tmp_path / "other", "orchard", "a", [])
    (tmp_path / "tls" / name).unlink()
    if content is not None:
        text = (tmp_path / "other" / name).read_text() if content == "other" else content
        (tmp_path / "tls" / name).write_text(text)
    assert run(["certs", "--into", str(tmp_path / "tls"), "--cluster", "orchard", "b"]) == 2
    err = capsys.readouterr().err
    assert f"{tmp_path / 'tls' / name}: {words}" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "tls" / "b.pem").exists()


def test_a_node_that_has_a_certificate_keeps_the_others_from_being_made(tmp_path: Path) -> None:
    make_certificates(tmp_path, "orchard", "b", [])
    with pytest.raises(FileExistsError):
        make_certificates(tmp_path, "orchard", "ab", [])
    assert not (tmp_path / "a.pem").exists()


def test_a_host_may_be_called_in_any_script(tmp_path: Path) -> None:
    make_certificates(tmp_path, "orchard", "a", ["\u00e4pfel.example", "*.example", "::1"])
    names = x509.load_pem_x509_certificate((tmp_path / "a.pem").read_bytes()).extensions
    shown = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert shown.get_values_for_type(x509.DNSName)[1:] == ["xn--pfel-koa.example", "*.example"]


def test_a_password_is_bytes_and_asked_for_at_a_terminal_alone() -> None:
    command = [sys.executable, "-m", "quorate", "password"]
    done = subprocess.run([*command, "--stdin"], input=b"\xff\xfe\r\n", capture_output=True, check=True)
    assert is_right(b"\xff\xfe", done.stdout.decode().strip())
    done = subprocess.run(command, input=b"", capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"with --stdin" in done.stderr


def test_a_password_becomes_the_hash_that_the_settings_want() -> None:
    done = quorate("password", "--stdin", typed="open sesame\n")
    assert done.returncode == 0
    assert is_right(b"open sesame", done.stdout.strip())
    assert quorate("password", "--stdin", typed="\n").returncode == 2
