"""The page for pilots over HTTP: what it shows, and what its forms do."""

import re

import pytest

import flyve_mdm
from flyve_mdm.backend import agents
from flyve_mdm.backend.model import Agent
from flyve_mdm.backend.page.orders import QUESTIONS
from flyve_mdm.build import npm
from flyve_mdm.patience import stretched
from host_tests.kit import checkers
from host_tests.tools.enrollee import fields_of
from host_tests.tools.pilot import Pilot, words

EVIL = "<script>alert(1)</script>\"'><img src=x>\u202e{{ 7*7 }}"
FAILED = """<REQUEST><CONTENT><BIOS><SSN>S1</SSN></BIOS>
<ACCOUNTINFO><KEYNAME>TAG</KEYNAME><KEYVALUE>invitation_secret</KEYVALUE></ACCOUNTINFO>
<FAILEDTASKS><TASKID>{}</TASKID><STATUS>failed</STATUS><REASON>{}</REASON></FAILEDTASKS>
</CONTENT></REQUEST>"""


@pytest.fixture
def pilot(backend, device):
    """In the page, beside a device that nobody answers for."""
    device(backend).enroll()
    backend.options.answer_wait = 0.1
    return Pilot(backend)


def fail(backend, task, why="no space"):
    """The device says that a task failed, and why."""
    agent = backend.agents[0]
    backend.state.status_of(task, agent).status = "failed"
    agents.store_inventory(backend.site, agent, FAILED.format(task.id, why))


def published(backend, topic):
    return [e.detail["payload"] for e in backend.events.of("published")
            if e.detail["topic"].endswith(topic)]  # fmt: skip


def test_the_list_tells_who_is_there_and_what_failed_and_why(backend, pilot):
    said = words(pilot.get())
    assert "1 device, 0 online" in said and "ESP32-0001 ann@example.org offline never" in said
    agents.set_online(backend.site, backend.agents[0], True)
    agents.contact(backend.site, backend.agents[0])
    song = backend.tasks.deploy_file(17, b"x", name="song.bin")
    fail(backend, song)
    backend.tasks.deploy_file(17, b"x", name="other.bin")
    said = words(pilot.get())
    assert "1 device, 1 online, 1 failed task" in said
    assert f"online {backend.agents[0].last_contact} 1 pending, 1 failed" in said
    assert "file song.bin to %SDCARD%/: failed : no space" in said
    fail(backend, song, "no network")
    assert "failed : no network" in words(pilot.get())
    assert "other.bin" not in said and "other.bin" in words(pilot.get("/page/device/17"))


def test_many_devices_are_shown_fifty_at_a_time(backend, pilot):
    one = backend.agents[0]
    for number in range(50):
        fields = {**vars(one), "serial": f"S{number}"}
        del fields["id"]
        backend.state.add("agents", Agent, **fields)
    first, second, beyond = (words(pilot.get(f"/?page={n}")) for n in ("0", "2", "99999999"))
    assert "51 devices" in first and "Page 1 of 2" in first and "S48 " in first
    assert "S49 " in second and "S48 " not in second and second == beyond
    assert words(pilot.get("/?page=x")) == first


def test_what_devices_and_people_wrote_never_becomes_markup(backend, device):
    device(backend).enroll()
    agent = backend.agents[0]
    agent.serial = agent.name = agent.version = EVIL
    backend.admin.move(agent, backend.admin.fleet(agent, EVIL))
    escaped = EVIL.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    fail(backend, backend.tasks.deploy_file(17, b"x", name=EVIL), escaped)
    backend.invite(EVIL)
    list(backend.state.invitations.values())[-1].log.append(("now", EVIL))
    pilot = Pilot(backend)
    pages = [
        pilot.get(f"/page/device/17{end}") for end in ("", *(f"/{name}" for name in QUESTIONS))
    ]
    pages += [pilot.get(), pilot.order("wipe"), pilot.order("fleet", fleet=EVIL[:-10])]
    pages += [pilot.order("deploy-app", package=EVIL), pilot.invite(EVIL)]
    for page in pages:
        assert page.status_code in (200, 400)
        assert not re.search(r"<script(?! src=\"/page/live.js\")|<img|\u202e", page.text)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text and "{{ 7*7 }}" in page.text


def test_no_page_has_a_secret_in_it(start, device):
    backend = start(admin_password="of the admin")
    device(backend).enroll()
    backend.invite("bob@example.org")
    fail(backend, backend.tasks.deploy_file(17, b"x", name="f"))
    pilot = Pilot(backend)
    pages = [pilot.get(), pilot.get("/page/device/17"), pilot.get("/page/device/17/wipe")]
    pages += [pilot.order("lock"), pilot.order("delete")]
    state = backend.state
    secrets = {backend.admin_token, "of the admin", backend._guard.token, "invitation_secret"}
    secrets |= {user.api_token for user in state.users.values()}
    secrets |= {one.token for one in state.invitations.values()}
    secrets |= {*state.sessions, *(agent.mqttpasswd for agent in state.agents.values())} - {""}
    assert len(secrets) > 6
    assert not [s for s in secrets for page in pages if s in page.text + str(page.headers)]


def test_an_invitation_is_shown_with_its_code_once(backend, pilot):
    answer = pilot.invite(" bob@example.org ")
    (link,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", answer.text)
    invitation = list(backend.state.invitations.values())[-1]
    assert fields_of(link)[2] == invitation.token
    assert "Invitation for bob@example.org" in words(answer) and "<svg" in answer.text
    again = pilot.get(answer.url.path)
    assert again.status_code == 404 and "shown once" in words(again)
    listed = pilot.get()
    assert "bob@example.org pending none" in words(listed)
    assert link not in listed.text + again.text


def test_a_deeplink_that_boards_cannot_follow_is_told(start):
    near = words(Pilot(start()).invite("bob@example.org"))
    assert "It leads to 127.0.0.1 : only virtual boards" in near
    backend = start(host="lab.example.org", bind="127.0.0.1")
    pilot = Pilot(backend, inside=False)
    pilot.client.base_url = f"http://127.0.0.1:{backend.web.port}"
    pilot.client.get(backend.page)
    far = words(pilot.invite("bob@example.org"))
    assert "Invitation for bob@example.org" in far and "only virtual boards" not in far


def test_deeplinks_that_nobody_looked_at_do_not_pile_up(backend, pilot):
    fields = {"form": pilot.form(), "email": "bob@example.org"}
    where = [
        pilot.client.post("/page/invite", data=fields, follow_redirects=False).headers["location"]
        for _ in range(51)
    ]
    assert pilot.get(where[0]).status_code == 404
    assert pilot.get(where[1]).status_code == 200


def test_an_invitation_tells_why_it_was_refused(backend, pilot, device):
    other = device(backend, email="bob@example.org")
    other.log_in()
    other.switch()
    other.post(_email="carol@example.org")
    assert "bob@example.org pending Wrong email address" in words(pilot.get())
    list(backend.state.invitations.values())[-1].expires = 0
    assert "bob@example.org expired" in words(pilot.get())


def test_a_wrong_address_is_told_beside_its_field_and_kept(backend, pilot):
    before = len(backend.state.invitations)
    answer = pilot.invite("bob at home")
    assert answer.status_code == 400 and 'value="bob at home"' in answer.text
    assert "is no e-mail address: write it as ada@example.org" in words(answer)
    assert 'aria-describedby="email-hint email-error" aria-invalid="true"' in answer.text
    assert len(backend.state.invitations) == before


@pytest.mark.parametrize("order", ["ping", "geolocate", "inventory", "unenroll"])
def test_a_device_that_does_not_answer_is_told(backend, pilot, order):
    answer = pilot.order(order)
    assert answer.url.path == "/page/device/17"
    assert f"ESP32-0001 did not answer within {stretched(0.1):g} s" in words(answer)
    assert published(backend, f"Command/{order.title()}")


def test_what_a_device_answers_is_told_where_it_was_asked(backend, pilot):
    agent = backend.agents[0]

    def answer(event):
        if event.kind == "command" and event.detail["name"] == "Ping":
            agent.pongs += 1
        elif event.kind == "command" and event.detail["name"] == "Geolocate":
            agent.positions.append({"latitude": 48.85, "longitude": 2.35, "datetime": 1})

    backend.events.subscribe(answer)
    backend.options.answer_wait = 10
    assert "ESP32-0001 is at 48.85, 2.35." in words(pilot.order("geolocate"))
    pinged = pilot.order("ping", back="list")
    assert "ESP32-0001 answered the ping." in words(pinged) and pinged.url.path == "/"
    agent.positions.append({"latitude": "na", "longitude": "na", "datetime": 1})
    assert "Position it knows none" in words(pilot.get("/page/device/17"))


def test_a_device_is_locked_and_unlocked(backend, pilot):
    locked = pilot.order("lock")
    assert "locked" in words(locked) and "/unlock" in locked.text
    assert "locked" not in words(pilot.order("unlock"))
    assert published(backend, "Command/Lock") == ['{"lock":"now"}', '{"lock":"unlock"}']
    pilot.order("wipe")
    assert "a wipe is ordered, which comes first" in words(pilot.order("lock"))


@pytest.mark.parametrize("order", QUESTIONS)
def test_what_cannot_be_taken_back_asks_first(backend, pilot, order):
    asked = pilot.get(f"/page/device/17/{order}")
    assert f"{order.title()} ESP32-0001?" in words(asked)
    assert not backend.events.of("command")
    pilot.order(order)
    if order == "delete":
        assert not backend.agents
    else:
        assert published(backend, f"Command/{order.title()}")


def test_a_file_is_deployed_and_its_task_is_shown(backend, pilot):
    answer = pilot.order(
        "deploy-file", files={"file": ("a b.bin", b"bytes")}, destination="%SDCARD%/x"
    )
    (task,) = backend.state.tasks.values()
    assert task.value["deployFile"] == "%SDCARD%/x/" and task.agent_id == 17
    assert (task.item.name, task.item.data) == ("a b.bin", b"bytes")
    assert "a b.bin goes to ESP32-0001: task 1." in words(answer)
    assert "1 file a b.bin to %SDCARD%/x/ pending" in words(answer)


def test_an_application_is_deployed_and_both_are_removed(backend, pilot):
    pilot.order(
        "deploy-app", files={"app": ("app.py", b"def start(agent):\n    yield\n")},
        package="org.example", version_code="3",
    )  # fmt: skip
    pilot.order("remove-app", old_package="org.example")
    pilot.order("remove-file", path="%SDCARD%/x")
    app, *removed = backend.state.tasks.values()
    assert (app.value["deployApp"], app.value["versionCode"]) == ("org.example", "3")
    assert [task.value for task in removed] == [
        {"removeApp": "org.example"},
        {"removeFile": "%SDCARD%/x"},
    ]


A, APP = {"file": ("a", b"x")}, {"app": ("app.py", b"x = 1")}
ROOT, P = {"destination": "%SDCARD%/"}, {"package": "p", "version_code": "1"}


@pytest.mark.parametrize(
    ("order", "files", "fields", "field", "text"),
    [
        ("deploy-file", None, ROOT, "file", "Choose a file."),
        ("deploy-file", {"file": ("", b"")}, {}, "file", "Choose a file."),
        ("deploy-file", A, {"destination": "etc"}, "destination", "Write a folder below"),
        ("deploy-file", A, {"destination": " "}, "destination", "It is empty."),
        ("deploy-file", {"file": ("..", b"x")}, ROOT, "file", "no name of a file"),
        ("deploy-app", APP, {"package": ""}, "package", "It is empty."),
        ("deploy-app", APP, {**P, "version_code": "a"}, "version_code", "Write a number"),
        ("deploy-app", {"app": ("a.py", b"def :")}, P, "app", "does not compile"),
        ("remove-file", None, {"path": "\t"}, "path", "It is empty."),
        ("fleet", None, {"fleet": "a\x07"}, "fleet", "cannot be printed"),
    ],
)
def test_what_is_wrong_in_a_form_is_told_beside_its_field(
    backend, pilot, order, files, fields, field, text
):
    answer = pilot.order(order, files=files, **fields)
    assert answer.status_code == 400
    assert text in re.search(rf'id="{field}-error">(.*?)</p>', answer.text)[1]
    assert f'<a href="#{field}">' in answer.text
    assert not backend.state.tasks and len(backend.state.fleets) == 1


def test_a_file_that_is_too_large_is_refused_with_the_limit(backend, pilot):
    backend.options.post_max_size = 1 << 20
    answer = pilot.order(
        "deploy-file", files={"file": ("a", bytes(3 << 20))}, destination="%SDCARD%/"
    )
    assert answer.status_code == 413 and "1 MiB are the most" in words(answer)


def test_a_form_that_does_not_tell_its_length_is_refused(pilot):
    answer = pilot.client.post("/page/invite", content=iter([b"form=x"]))
    assert answer.status_code == 411


def test_a_device_is_moved_to_a_fleet_and_out_again(backend, pilot):
    assert "is in the fleet lab." in words(pilot.order("fleet", fleet="lab"))
    assert '<option value="lab">' in pilot.get("/page/device/17").text
    assert "is in the fleet not managed." in words(pilot.order("fleet", fleet=""))


def test_the_first_generation_has_tasks_of_fleets(start, device):
    backend = start("A")
    device(backend).enroll()
    answer = Pilot(backend).order("remove-file", path="%SDCARD%/x")
    assert "Fleet fleet of ESP32-0001" in words(answer) and "remove file %SDCARD%/x" in words(
        answer
    )


def test_a_device_that_is_gone_is_told(backend, pilot):
    gone = pilot.order("delete")
    assert "ESP32-0001 is deleted." in words(gone) and gone.url.path == "/"
    for answer in (
        pilot.get("/page/device/17"),
        pilot.order("ping"),
        pilot.get("/page/device/17/wipe"),
    ):
        assert answer.status_code == 404 and "This device is gone" in words(answer)


@pytest.mark.parametrize("path", ["/page/", "/page/device/x", "/page/device/17/no/more"])
def test_what_is_not_there_is_told(pilot, path):
    answer = pilot.get(path)
    assert answer.status_code == 404 and "Not here" in words(answer)


def test_an_order_that_is_none_is_refused(backend, pilot):
    assert pilot.order("explode").status_code == 404
    assert pilot.get("/page/device/17/ping").url.path == "/page/device/17"
    assert not backend.events.of("command")


def test_all_pages_are_valid(backend, pilot, tmp_path):
    pages = {
        "stranger": Pilot(backend, inside=False).get(),
        "enter": pilot.client.get(backend.page),
        "invited": pilot.invite("bob@example.org"),
        "shown": pilot.get("/page/invitation/x"),
        "wrong": pilot.order("deploy-app"),
        "address": pilot.invite("bob"),
        "question": pilot.get("/page/device/17/wipe"),
        "note": pilot.order("lock", back="list"),
    }
    fail(backend, backend.tasks.deploy_file(17, b"x", name="song.bin"))
    pages |= {"list": pilot.get(), "device": pilot.get("/page/device/17")}
    pages |= {"gone": pilot.order("delete"), "message": pilot.get("/page/device/17")}
    paths = []
    for name, page in pages.items():
        paths.append(tmp_path / f"{name}.html")
        paths[-1].write_bytes(page.content)
        assert not re.search(r"(?:src|href|action)=\"(?!/|#|data:,)", page.text), name
    paths.append(tmp_path / "bad.html")
    paths[-1].write_text(pages["list"].text.replace("</main>", ""))
    paths.append(tmp_path / "style.css")
    paths[-1].write_bytes(pilot.get("/page/style.css").content)
    try:
        found = checkers.invalid(paths)
    except npm.NpmError as error:
        pytest.skip(f"the Nu Html Checker is left out: {error}")
    assert found and [line for line in found if "/bad.html" not in line] == []


def test_it_has_the_colours_of_the_set_up_page(pilot):
    boards = (flyve_mdm.ROOT / "firmware" / "flyve" / "jobs" / "setup.html").read_text()
    ours = pilot.get("/page/style.css").text
    ours, boards = (re.findall(r"(--\w+): (#\w+);", text) for text in (ours, boards))
    assert len(ours) == 20 and ours == boards, "a palette changes in both"
