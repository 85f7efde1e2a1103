"""A board behind a port of the network: RFC 2217, or a plain socket."""

import pytest
from click.testing import CliRunner

from flyve_mdm.board import cli_target


@pytest.mark.parametrize("name", ["rfc2217://lab", "socket://:4000", "socket://lab:door"])
def test_a_url_without_host_and_port_is_said_in_one_line(name):
    for command in (cli_target.deploy, cli_target.reset, cli_target.monitor, cli_target.doctor):
        result = CliRunner().invoke(command, [name])
        assert result.exit_code == 1
        assert "://HOST:PORT" in result.output and result.output.count("\n") == 1


@pytest.mark.parametrize("scheme", ["rfc2217", "socket"])
def test_an_address_where_nobody_listens_is_said_in_one_line(scheme):
    for command in (cli_target.reset, cli_target.monitor):
        result = CliRunner().invoke(command, [f"{scheme}://127.0.0.1:1"])
        assert result.exit_code == 1
        assert "does a server listen there?" in result.output
        assert result.output.count("\n") == 1
