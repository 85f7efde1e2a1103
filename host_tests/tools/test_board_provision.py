"""create, deploy, provision and reset, as a user calls them."""

import base64
import datetime
import json
from urllib.parse import quote

import pytest
import trustme
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding

from flyve_mdm.board import cli, cli_target
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.build import firmware
from flyve_mdm.provision import provision as provision_command

FIELDS = "http://api.example.com/;usertoken0123456789;invitationtoken0123456789;;;;"
LINK = "http://flyve.org/?data=" + base64.b64encode(FIELDS.encode()).decode()


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    monkeypatch.delenv("FLYVE_DEEPLINK", raising=False)
    monkeypatch.delenv("FLYVE_PSK", raising=False)


@pytest.fixture
def board(tmp_path):
    return VirtualBoard.create(tmp_path / "board")


def provision(board, *args, code=0, **how):
    result = CliRunner().invoke(provision_command, [str(board.path), *map(str, args)], **how)
    assert result.exit_code == code, result.output
    return result


def settings(board):
    return json.loads(board.read("/config.json"))


def networks(board):
    entries = {key: value for _, key, _, value in board.nvs()}
    return json.loads(entries["wifi"])


def test_everything_at_once(board):
    result = provision(
        board,
        *("--deeplink", LINK, "--email", "a@example.org", "--serial", "12345"),
        *("--wifi", "one", "--psk", "password1", "--wifi", "two", "--psk", ""),
        *("--set", "keepalive=30", "--set", "tls=true", "--set", 'ntp=["10.0.0.1:123"]'),
    )
    assert board.read("/deeplink").decode() == LINK
    assert settings(board) == {
        "email": "a@example.org",
        "serial": "12345",
        "keepalive": 30,
        "tls": True,
        "ntp": ["10.0.0.1:123"],
    }
    assert networks(board) == [["one", "password1"], ["two", ""]]
    assert "password1" not in result.output and LINK not in result.output


def test_settings_are_merged_and_null_removes_one(board):
    provision(board, "--set", "keepalive=30", "--email", "a@example.org")
    provision(board, "--set", "keepalive=null", "--set", "port=1883")
    assert settings(board) == {"email": "a@example.org", "port": 1883}


def test_a_damaged_file_of_settings_is_replaced_with_a_warning(board):
    board.write("/config.json", b"{")
    assert "damaged" in provision(board, "--set", "port=1883").output
    assert settings(board) == {"port": 1883}


def test_secrets_come_from_stdin_or_the_environment(board, monkeypatch):
    given = f"{LINK}\npassword1\npass word2\n"
    provision(
        board,
        *("--deeplink", "-", "--wifi", "a", "--psk", "-", "--wifi", "b", "--psk", "-"),
        input=given,
    )
    assert board.read("/deeplink").decode() == LINK
    assert networks(board) == [["a", "password1"], ["b", "pass word2"]]
    board.remove("/deeplink")
    monkeypatch.setenv("FLYVE_DEEPLINK", LINK)
    monkeypatch.setenv("FLYVE_PSK", "password3")
    provision(board, "--wifi", "c")
    assert board.read("/deeplink").decode() == LINK
    assert networks(board) == [["c", "password3"]]
    assert "stdin" in provision(board, "--deeplink", "-", input="", code=1).output


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--deeplink", "nonsense"], 1, "deeplink cannot be used"),
        (["--set", "nosuch=1"], 1, "nosuch"),
        (["--set", "port=many"], 1, "port"),
        (["--set", "port"], 2, "key=value"),
        (["--serial", "a/b"], 1, "serial"),
        (["--serial", "a\tb"], 1, "serial: must not contain control characters"),
        (["--serial", "\t5"], 1, "serial: must not contain control characters"),
        (["--serial", "  "], 1, "serial: must not begin or end with a blank"),
        (["--set", "email=a@b.c\n"], 1, "email: must not contain control characters"),
        (["--wifi", "a"], 2, "--psk"),
        (["--wifi", "a\n", "--psk", ""], 1, "the name of"),
        (["--wifi", "a", "--psk", "password\t"], 1, "the passphrase of 'a' must not contain"),
        (["--wifi", "a", "--psk", "x" * 64], 1, "64 characters must be a key in hex"),
        (["--wifi", "a", "--psk", "short"], 1, "passphrase"),
        (["--wifi", "a" * 33, "--psk", ""], 1, "SSID"),
        # B14
        (["--email", "nobody"], 1, "'nobody' is no e-mail address"),
        (["--email", "a@b@c.org"], 1, "is no e-mail address"),
        (["--set", 'ntp=["a'], 1, "broken JSON"),
        (["--set", "user={1:2}"], 1, "broken JSON"),
        (["--set", 'ntp=["http://pool.ntp.org"]'], 1, "without a scheme"),
        (["--set", 'ntp=["127.0.0.1:NTP_PORT"]'], 1, "'NTP_PORT' is no port"),
        (["--set", 'ntp=["a:99999"]'], 1, "is no port"),
        (["--set", "broker=mqtt://host"], 1, "no scheme"),
        (["--set", "broker= host "], 1, "no blank"),
        (["--ca", __file__], 1, "no certificate"),
        ([], 2, "nothing to do"),
    ],
)
def test_wrong_input_is_named_and_writes_nothing(board, args, code, message):
    before = board.files(), board.nvs()
    right = (
        ["--deeplink", LINK, "--wifi", "x", "--psk", "password1"] if args[:1] == ["--set"] else []
    )
    assert message in provision(board, *right, *args, code=code).output
    assert (board.files(), board.nvs()) == before


def test_a_ca_goes_as_der_and_a_bundle_as_pem(board, tmp_path):
    first, second = trustme.CA(), trustme.CA()
    pem = tmp_path / "ca.pem"
    first.cert_pem.write_to_path(pem)
    provision(board, "--ca", pem)
    der = board.read("/ca.der")
    assert trustme_der(first) == der
    assert settings(board)["ca"] == "/ca.der"
    second.cert_pem.write_to_path(pem, append=True)
    provision(board, "--ca", pem)
    assert board.read("/ca.pem").count(b"BEGIN CERTIFICATE") == 2
    assert "/ca.der" not in dict(board.files())
    (tmp_path / "ca.der").write_bytes(der)
    provision(board, "--ca", tmp_path / "ca.der")
    assert [path for path, _ in board.files()] == ["/ca.der", "/config.json"]


def test_a_ca_signed_leaf_is_refused_and_a_self_signed_one_taken(board, tmp_path):
    leaf = trustme.CA(organization_name="Test CA").issue_cert("localhost")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "leaf.pem")
    assert "Test CA" in provision(board, "--ca", tmp_path / "leaf.pem", code=1).output
    (tmp_path / "own.der").write_bytes(self_signed())
    provision(board, "--ca", tmp_path / "own.der")
    assert board.read("/ca.der") == self_signed.made


def test_reset_leaves_firmware_and_wifi(board):
    provision(board, "--deeplink", LINK, "--wifi", "a", "--psk", "password1")
    board.change({"/main.py": b"pass"}, {("flyve", "rec.a"): b"1", ("flyve", "rec.b"): b"2"})
    for _ in range(2):
        result = CliRunner().invoke(cli_target.reset, [str(board.path)])
        assert result.exit_code == 0, result.output
        assert [path for path, _ in board.files()] == ["/main.py"]
        assert [key for _, key, _, _ in board.nvs()] == ["setup_psk", "wifi"]


def test_create_installs_the_firmware_and_deploy_renews_it(tmp_path):
    runner, path = CliRunner(), tmp_path / "new"
    result = runner.invoke(cli.board, ["create", str(path), "--mac", "02:00:00:00:00:01"])
    assert result.exit_code == 0, result.output
    board = VirtualBoard(path)
    tree = {
        "/" + file.relative_to(firmware.TREE).as_posix(): file.read_bytes()
        for file in firmware.TREE.rglob("*")
        if file.is_file()
    }
    assert {name: board.read(name) for name, _ in board.files()} == tree
    board.change({"/flyve/gone.mpy": b"old", "/lib/mine.py": b"mine", "/boot.py": b"broken"})
    assert runner.invoke(cli_target.deploy, [str(path)]).exit_code == 0
    names = [name for name, _ in board.files()]
    assert "/flyve/gone.mpy" not in names and "/lib/mine.py" in names
    assert board.read("/boot.py") == tree["/boot.py"]


@pytest.mark.parametrize("target", ["/dev/ttyUSB0", "{here}", "{here}/none"])
def test_what_is_no_board_is_said(tmp_path, target):
    name = target.format(here=tmp_path)
    for command in (cli_target.deploy, cli_target.reset):
        result = CliRunner().invoke(command, [name])
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")


def trustme_der(ca):
    from cryptography import x509

    return x509.load_pem_x509_certificate(ca.cert_pem.bytes()).public_bytes(Encoding.DER)


def self_signed():
    """A server's own certificate, no CA."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    if not hasattr(self_signed, "made"):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.timezone.utc)
        self_signed.made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(days=1))
            .sign(key, hashes.SHA256())
            .public_bytes(Encoding.DER)
        )
    return self_signed.made


# A13
def test_a_url_with_a_password_is_refused_and_not_shown(board):
    fields = FIELDS.replace("http://", "http://zoe:secret@")
    link = "http://flyve.org/?data=" + base64.b64encode(fields.encode()).decode()
    output = provision(board, "--deeplink", link, code=1).output
    assert "its URL has a user or password in it" in output
    assert "secret" not in output and "zoe" not in output


# Texts
def test_a_link_that_a_mail_gateway_has_wrapped_is_taken(board):
    link = "https://x.safelinks.protection.outlook.com/?url=" + quote(LINK, "") + "&data=05%7C02"
    provision(board, "--deeplink", f"<{link}>")
    assert "/deeplink" in [path for path, _ in board.files()]
