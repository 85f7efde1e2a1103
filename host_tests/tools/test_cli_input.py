"""Wrong input of the host commands: one clear line before any work is done."""

import io
import socket
import tarfile

import pytest
from click.testing import CliRunner

from flyve_mdm import cli
from flyve_mdm.backend.server import Backend
from flyve_mdm.build import application
from host_tests.kit import administrator


def flyve(*args, **how):
    result = CliRunner().invoke(cli.cli, [str(arg) for arg in args], prog_name="flyve", **how)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


URL = "http://127.0.0.1:9/apirest.php"


# B14
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["invite", "--url", URL, ""], "no e-mail address"),
        (["invite", "--url", URL, "ada"], "no e-mail address"),
        (["invite", "--url", URL, "a@b.org", "--name", "a\x1b[2J"], "cannot be printed"),
        (["invite", "--url", "http://127.0.0.1:PORT/apirest.php", "a@b.org"], "no port"),
        (["admin", "list", "--url", "nonsense"], "no url"),
        (["admin", "list", "--url", URL], "no credentials: set FLYVE_USER_TOKEN"),
        (["admin", "list", "--offline-for", "1x"], "write it as 90s, 30m, 1h or 2d"),
        (["admin", "list", "--watch", "0"], "--watch"),
        (["admin", "ping", "--url", URL, "--wait", "nan", "17"], "not a finite number"),
        (["admin", "deploy-file", "--url", URL, "--name", "a/b", "17", __file__], "no name of a"),
        (["admin", "deploy-app", "--url", URL, "17", "", __file__], "it is empty"),
        (["admin", "fleet", "--url", URL, "17", " "], "it is empty"),
        (["admin", "ping", "--url", URL, ""], "it is empty"),
        (["backend", "--full-session-size", "-5"], "--full-session-size"),
        (["backend", "--broker", "mqtt://host"], "without a scheme"),
        (["backend", "--host", "http://host"], "without a scheme"),
        (["backend", "--ntp-offset", "inf"], "not a finite number"),
        (
            ["backend", "--host", "nowhere.invalid"],
            "--host: nowhere.invalid: there is no such name",
        ),
        (["backend", "--bind", "192.0.2.1"], "--bind: 192.0.2.1 is no address of this machine"),
        (["backend", "--fault", "initSession:delay=-1"], "initSession:delay"),
        (["backend", "--fault", ":delay"], "initSession:delay"),
        (["backend", "--fault", "*:error=99"], "from 400 to 599"),
        (["demo", "--svg", "/none/x.svg"], "there is no folder /none"),
        (["demo", "--svg", ""], "is a folder: name a file"),
        (["deploy", "socket://127.0.0.1:1"], "does a server listen there?"),
        (["monitor", "socket://127.0.0.1:1"], "does a server listen there?"),
        (["fleet", "--heap", "1", "2"], "--heap"),
        (["board", "run", "--heap", "1", "DIR"], "16K to 64M"),
        (["board", "create", ""], "it is empty"),
        (["board", "ls", "/none/a b"], "make one with `flyve board create '/none/a b'`"),
        (["board", "create", "--flash", "9999999M", "DIR"], "64K to 128M"),
        (["board", "create", "--ap", "net:short", "DIR"], "8 to 63 characters"),
    ],
)
def test_wrong_input_is_said_in_one_line_before_any_work(tmp_path, args, said):
    result = flyve(*[tmp_path / "b" if arg == "DIR" else arg for arg in args])
    assert result.exit_code in (1, 2)
    assert said in result.output.splitlines()[-1], result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "kind"),
    [("--port", socket.SOCK_STREAM), ("--mqtt-port", socket.SOCK_STREAM),
     ("--ntp-port", socket.SOCK_DGRAM)],
)  # fmt: skip
def test_a_port_that_another_program_has_is_named_with_its_option(option, kind):
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        number = taken.getsockname()[1]
        result = flyve("backend", option, number)
    assert result.exit_code == 1
    told = f"Error: {option}: another program listens on port {number} of 127.0.0.1"
    assert result.output.splitlines()[-1] == told


# B14
def test_a_file_of_any_name_is_deployed(tmp_path):
    file = tmp_path / "\u017craw \U0001f600.txt"
    file.write_text("x")
    with Backend() as backend:
        told = administrator.flyve(backend, "admin", "deploy-file", "17", file, code=1)
        assert "no agent" in told, "the name was no trouble"


def bundle(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name + ".py")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    return out.getvalue()


# B7
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"# A title\n\nSome prose.\n", "app.x, line 3 does not compile"),
        (b"def start(agent):\n    yield\n", ""),
        (b"\xef\xbb\xbfx = 1\n", ""),
        (b"", "is empty"),
        (b"PK\3\4zip", "is no application"),
        (bundle(app=b"x = 1\n", part=b"y = (\n"), "part.py"),
        (bundle(app=b"x = 1\n"), ""),
    ],
)
def test_an_application_is_compiled_before_it_is_deployed(tmp_path, data, said):
    file = tmp_path / "app.x"
    file.write_bytes(data)
    how = {"env": {"FLYVE_USER_TOKEN": "x"}}
    result = flyve("admin", "deploy-app", "--url", URL, "17", "org.example", file, **how)
    assert result.exit_code == 1
    assert (said or "no backend answers") in result.output and result.output.count("\n") == 1


def test_the_whole_of_a_bundle_is_needed():
    with pytest.raises(application.ApplicationError, match="no whole bundle"):
        application.check(bundle(app=b"x = 1\n" * 500)[:1024], "b.tar")
