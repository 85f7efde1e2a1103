"""Log lines: their form, and that no secret ever gets into one."""

from flyve import log

lines = []


def start(level=0):
    lines.clear()
    log.sink = lines.append
    log.level = level
    log.last_error = ""
    for name in list(log._secrets):
        log.secret(name, None)


def test_a_line_has_uptime_level_area_and_text():
    start()
    log.info("link", "online topic=%s", "76/agent/X")
    ms, level, rest = lines[0].split(" ", 2)
    assert int(ms) >= 0 and level == "INFO"
    assert rest == "link: online topic=76/agent/X"


def test_levels_below_the_chosen_one_are_silent():
    start(level=2)
    log.debug("a", "x")
    log.info("a", "x")
    log.warn("a", "x")
    log.error("a", "x")
    assert [line.split(" ")[1] for line in lines] == ["WARN", "ERROR"]


def test_a_known_secret_is_taken_out_wherever_it_stands():
    start()
    log.secret("mqtt", "YTQUJagG7iBas45t")
    log.info("a", "user:%s@host YTQUJagG7iBas45t", "YTQUJagG7iBas45t")
    assert "YTQ" not in lines[0] and lines[0].count("***") == 2


def test_the_value_of_any_token_parameter_is_taken_out():
    start()
    log.warn("a", "GET /x?user_token=abc123&session_token=def456 failed; app_token=ghi")
    assert lines[0].endswith("GET /x?user_token=***&session_token=*** failed; app_token=***")


def test_the_last_error_is_kept_without_secrets():
    start()
    log.secret("api", "topsecrettoken")
    log.error("rest", "no topsecrettoken here")
    log.info("rest", "fine")
    assert log.last_error == "rest: no *** here"


def test_a_forgotten_secret_is_not_looked_for():
    start()
    log.secret("user", "12345678")
    log.secret("user", None)
    log.info("a", "12345678")
    assert "12345678" in lines[0]


def test_a_short_value_is_no_secret():
    start()
    log.secret("psk", "ab")
    log.info("a", "cab")
    assert lines[0].endswith("cab")


def test_a_line_stays_one_line_and_bounded():
    start()
    log.info("a", "x\r\ny" + "z" * 2000)
    assert "\n" not in lines[0] and "\r" not in lines[0] and len(lines[0]) < 500


def test_a_percent_sign_without_arguments_is_literal():
    start()
    log.info("a", "100 % %s")
    assert lines[0].endswith("100 % %s")


# A16
def test_no_escape_sequence_of_a_server_reaches_the_terminal():
    start()
    log.warn("rest", "%s", "ERROR \x1b[2J\x9b31m\x7f\x07 \u202eevil \ud83d\uffff")
    assert lines[0].endswith("rest: ERROR \ufffd[2J\ufffd31m\ufffd\ufffd \ufffdevil \ufffd\ufffd")
    assert log.last_error == lines[0].split(" ", 2)[2]


def test_a_line_is_written_without_the_memory_for_other_characters():
    start()
    plain, log.plain = log.plain, without_memory
    try:
        log.warn("wifi", "Z\u00fcrich\x1b: no")
    finally:
        log.plain = plain
    text = lines[0].split(": ", 1)[1]
    assert "rich" in text and all(32 <= ord(c) < 127 for c in text)


def without_memory(text):
    raise MemoryError


# A16
def test_a_secret_with_control_characters_is_taken_out():
    start()
    log.secret("psk", "pass\x1bword")
    log.info("a", "it is pass\x1bword")
    assert lines[0].endswith("it is ***")
