"""`flyve admin` and `flyve invite` for a simulated backend."""

from click.testing import CliRunner

from flyve_mdm import cli


def flyve(backend, *args, code=0, **environment):
    """Runs a command as the backend's administrator; returns what it prints."""
    known = {"FLYVE_URL": backend.url, "FLYVE_USER_TOKEN": backend.admin_token}
    if backend.ca_pem:
        known["FLYVE_CA"] = str(backend.ca_pem)
    words = [str(arg) for arg in args]
    result = CliRunner().invoke(cli.cli, words, prog_name="flyve", env={**known, **environment})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output
