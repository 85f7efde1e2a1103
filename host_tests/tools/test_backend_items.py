"""The endpoints that an administrator's program uses, as GLPI and the plugin answer them."""

import base64
import json
import threading

import pytest

from host_tests.tools.administrator import Administrator

REFUSED = "You don't have permission to perform this action."
EVERY_BYTE = bytes(range(256)) * 40 + b"\r\n--\r\n\r"


@pytest.fixture
def boss(backend):
    return Administrator(backend)


@pytest.fixture
def pair(backend, boss, device, link):
    """An administrator, a device, and its connection, whose first message is behind it."""
    one = device(backend)
    one.enroll()
    connection = link(one)
    connection.subscribe(f"{connection.topic}/Command/#")
    connection.subscribe(f"{connection.topic}/Policy/#")
    connection.get()
    return boss, one, connection


def fleets(backend, count):
    for number in range(count):
        backend.state.add(
            "fleets", type(backend.state.default_fleet), name=f"f{number:02}", entity=76
        )


@pytest.mark.parametrize(
    ("params", "status", "ranged", "names"),
    [
        ({"range": "0-2"}, 206, "0-2/20", ["not managed", "f00", "f01"]),
        ({"range": "18-40"}, 206, "18-19/20", ["f17", "f18"]),
        ({"range": "0-40", "sort": "name", "order": "DESC"}, 200, "0-19/20", None),
        ({"range": "20-40"}, 206, "20-19/20", []),
        ({}, 200, "0-15/20", None),
        ({"range": "0-9", "searchText[name]": "F0"}, 200, "0-9/10", None),
        ({"range": "0-9", "searchText[name]": "^f00$"}, 200, "0-0/1", ["f00"]),
        ({"range": "0-9", "searchText[name]": "^0"}, 200, None, []),
    ],
)
def test_a_list_is_cut_to_its_range(backend, boss, params, status, ranged, names):
    fleets(backend, 19)
    answer = boss.get("/PluginFlyvemdmFleet", get_hateoas="false", **params)
    assert (answer.status_code, answer.headers.get("content-range")) == (status, ranged)
    rows = answer.json()
    assert names is None or [row["name"] for row in rows] == names
    if not params:
        assert len(rows) == 16  # cut without a word
    if params.get("order"):
        assert rows[0]["name"] == "not managed" and rows[1]["name"] == "f18"


def test_wrong_ranges_and_columns_are_refused(backend, boss):
    path = "/PluginFlyvemdmFleet"
    exceeded = boss.get(path, range="2-9")
    assert (exceeded.status_code, exceeded.json()[0]) == (400, "ERROR_RANGE_EXCEED_TOTAL")
    for wrong in ({"range": "x"}, {"range": "0-"}, {"sort": "nothing"}, {"order": "UP"}):
        assert boss.get(path, **wrong).status_code == 400, wrong
    assert boss.get(path, **{"searchText[nothing]": "x"}).status_code == 500
    assert boss.get("/PluginFlyvemdmFleet/9").json()[0] == "ERROR_ITEM_NOT_FOUND"


def test_an_item_and_what_belongs_to_it(pair, backend):
    boss, one, _ = pair
    row = boss.get("/PluginFlyvemdmAgent/17").json()
    assert row["computers_id"] == 65 and "mqttpasswd" not in row and "topic" not in row
    assert boss.get("/Computer/65").json()["serial"] == one.serial
    (mine,) = boss.get("/Computer/65/PluginFlyvemdmAgent").json()
    assert mine["id"] == 17 and mine["links"]
    assert boss.get("/Computer/66/PluginFlyvemdmAgent").status_code == 404
    backend.tasks.remove_app(one.serial, "org.example")
    (status,) = boss.get("/PluginFlyvemdmAgent/17/PluginFlyvemdmTaskstatus").json()
    assert status["status"] == "pending" and status["plugin_flyvemdm_tasks_id"] == 1
    sent = boss.get(
        "/PluginFlyvemdmAgent/17/PluginFlyvemdmMqttlog", **{"searchText[topic]": "Policy"}
    )
    assert json.loads(sent.json()[0]["message"])["taskId"] == 1


def test_no_right_no_item(backend, boss, device):
    device(backend).enroll()
    backend.options.rights = {"flyvemdm:agent": 1, "flyvemdm:mqttlog": 0, "flyvemdm:file": 1}
    assert boss.get("/PluginFlyvemdmMqttlog").status_code == 401
    assert boss.get("/PluginFlyvemdmMqttlog").json() == ["ERROR_RIGHT_MISSING", REFUSED]
    lock = boss.call("PUT", "/PluginFlyvemdmAgent/17", {"lock": 1})
    assert lock == (400, ["ERROR_GLPI_UPDATE", REFUSED])
    assert boss.call("DELETE", "/PluginFlyvemdmAgent/17") == (400, ["ERROR_GLPI_DELETE", REFUSED])
    assert boss.upload("PluginFlyvemdmFile", "a.zip", b"x")[1] == ["ERROR_GLPI_ADD", REFUSED]
    rights = boss.get("/getActiveProfile").json()["active_profile"]
    assert rights["flyvemdm:agent"] == 1 and rights["name"] == "Super-Admin"


def test_a_device_sees_no_administrators_items(backend, device):
    one = device(backend)
    one.enroll()
    one.log_in(one.settings["api_token"])
    for path in ("/User", "/User/42", "/Config", "/PluginFlyvemdmInvitation", "/search/User"):
        assert one.call("GET", path).status_code == 401, path
    assert one.call("DELETE", "/PluginFlyvemdmAgent/17").status_code == 400
    assert one.call("PUT", "/PluginFlyvemdmAgent/17", json={"input": {"wipe": 1}}).is_success
    assert not one.agent.wipe


def test_sessions_profiles_and_entities(backend, boss):
    assert [one["id"] for one in boss.get("/getMyProfiles").json()["myprofiles"]] == [4, 1]
    assert boss.call("POST", "/changeActiveProfile", json={"profiles_id": 1})[0] == 200
    assert boss.get("/PluginFlyvemdmFleet").status_code == 401
    assert boss.call("POST", "/changeActiveProfile", json={"profiles_id": 9})[0] == 404
    boss.call("POST", "/changeActiveProfile", json={"profiles_id": 4})
    root = {"entities_id": 0, "is_recursive": False}
    assert boss.call("POST", "/changeActiveEntities", json=root) == (200, True)
    assert boss.get("/PluginFlyvemdmFleet").json() == []
    for wrong in ({"entities_id": 0, "is_recursive": 1}, {"entities_id": 5}):
        assert boss.call("POST", "/changeActiveEntities", json=wrong)[0] == 400
    assert boss.call("POST", "/changeActiveEntities", json={})[0] == 200
    assert len(boss.get("/PluginFlyvemdmFleet").json()) == 1
    assert boss.get("/getGlpiConfig").json()["cfg_glpi"]["url_base_api"] == backend.url


def test_login_is_off_by_default(backend, start):
    basic = {"Authorization": "Basic " + base64.b64encode(b"glpi:s:\xc3\xa9").decode()}
    refused = Administrator(backend).http.get("/initSession", headers=basic)
    assert refused.json()[0] == "ERROR_LOGIN_WITH_CREDENTIALS_DISABLED"
    http = Administrator(start(admin_password="s:\u00e9")).http
    assert http.get("/initSession", headers=basic).status_code == 200
    wrong = http.get("/initSession", auth=("glpi", "x"))
    assert (wrong.status_code, wrong.json()[0]) == (401, "ERROR_GLPI_LOGIN")
    assert http.get("/initSession", auth=("ghost", "")).status_code == 401


def test_no_api_and_no_plugin(backend, boss):
    backend.options.plugin = False
    code = boss.get("/PluginFlyvemdmAgent").json()[0]
    assert code == "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM"
    assert boss.get("/Computer").status_code == 200
    backend.options.api = False
    assert boss.get("/Computer").json() == ["ERROR", "API disabled"]


@pytest.mark.parametrize(("generation", "suffix"), [("A", ""), ("B", ""), ("C", "_request")])
def test_questions_wait_for_the_device(start, device, link, generation, suffix):
    backend = start(generation, answer_wait=5)
    boss, one = Administrator(backend), device(backend)
    one.enroll()
    connection = link(one)
    connection.subscribe(f"{connection.topic}/Command/#")
    answers = {
        "ping": ("Status/Ping", "!", (200, [{"17": True, "message": "The device answered"}])),
        "geolocate": (
            "Status/Geolocation", {"datetime": 5, "gps": "off"},
            (400, ["ERROR_GLPI_UPDATE", "GPS is turned off or is not ready"]),
        ),
        "inventory": (
            "Status/Inventory", "<REQUEST/>",
            (200, [{"17": True, "message": "Inventory received"}]),
        ),
    }  # fmt: skip
    for name, (topic, payload, wanted) in answers.items():
        seen = []
        thread = threading.Thread(
            target=lambda name=name, seen=seen: seen.append(
                boss.call("PUT", "/PluginFlyvemdmAgent/17", {f"_{name}{suffix}": ""})
            )
        )
        thread.start()
        while name not in connection.get().topic.lower():
            pass
        connection.publish(topic, payload)
        thread.join(10)
        assert seen == [wanted]
    (place,) = boss.get("/Computer/65/PluginFlyvemdmGeolocation").json()
    assert place["latitude"] == "na"


def test_what_is_not_answered_in_time_is_an_error(backend, boss, device):
    device(backend).enroll()
    backend.options.answer_wait = 0.01
    path = "/PluginFlyvemdmAgent/17"
    for name, told in (("ping", "Timeout querying the device"),
                       ("geolocate", "Timeout requesting position"),
                       ("inventory", "Timeout querying the device inventory")):  # fmt: skip
        refused = boss.call("PUT", path, {f"_{name}_request": ""})
        assert refused == (400, ["ERROR_GLPI_UPDATE", told])
        assert boss.call("PUT", path, {f"_{name}": ""})[0] == 200  # older: not understood
    assert boss.call("PUT", "/PluginFlyvemdmAgent/9", {}) == (400, ["ERROR_GLPI_UPDATE", None])


def test_only_a_change_is_sent_and_false_is_a_yes(pair):
    boss, one, connection = pair
    path, done = "/PluginFlyvemdmAgent/17", (200, [{"17": True, "message": ""}])
    for lock in (1, 1, 0, False):
        assert boss.call("PUT", path, {"lock": lock}) == done
    assert boss.call("PUT", path, {"wipe": False}) == done
    assert boss.call("PUT", path, {"wipe": 1, "lock": 0}) == done
    assert boss.call("PUT", path, {"_unenroll_request": ""}) == done
    assert boss.call("PUT", path, {"_unenroll_request": "", "enroll_status": "enrolled"}) == done
    assert boss.call("DELETE", path) == done
    got = [json.loads(connection.get().payload) for _ in range(5)]
    assert got == [{"lock": "now"}, {"lock": "unlock"}, {"lock": "now"}, {"wipe": "now"},
                   {"unenroll": "now"}]  # fmt: skip
    assert boss.get(path).status_code == 404


def test_fleets_are_made_joined_and_removed(pair, backend):
    boss, one, connection = pair
    made = boss.call("POST", "/PluginFlyvemdmFleet", {"name": "lab", "entities_id": 76})
    assert made == (201, {"id": 103, "message": "Item successfully added: lab"})
    boss.call("PUT", "/PluginFlyvemdmAgent/17", {"plugin_flyvemdm_fleets_id": 103})
    assert json.loads(connection.get().payload) == {"subscribe": [{"topic": "76/fleet/103"}]}
    refused = boss.call("PUT", "/PluginFlyvemdmAgent/17", {"plugin_flyvemdm_fleets_id": 9})
    assert refused == (400, ["ERROR_GLPI_UPDATE", "The target fleet does not exists"])
    assert boss.call("DELETE", "/PluginFlyvemdmFleet/102")[0] == 400  # the default one
    assert boss.call("DELETE", "/PluginFlyvemdmFleet/103")[0] == 200
    assert one.agent.fleet_id == 102


REFUSALS = [
    (
        "deployFile",
        {"itemtype": "PluginFlyvemdmFile", "items_id": 9, "value": {}},
        "file does not",
    ),
    ("deployFile", {"value": {"destination": "%SDCARD%/"}}, "remove on delete"),
    ("deployFile", {"value": {"remove_on_delete": 0}}, "destination is mandatory"),
    ("deployFile", {"value": {"destination": "%NO%/", "remove_on_delete": 0}}, "invalid base"),
    (
        "deployFile",
        {"value": {"destination": "%SDCARD%//a", "remove_on_delete": 0}},
        "invalid base",
    ),
    ("deployApp", {"value": {"remove_on_delete": 1}}, "application does not"),
    ("removeFile", {}, "destination is mandatory"),
    ("removeApp", {"value": ""}, "application ID is required"),
    ("disableCamera", {"value": 2}, ""),
    ("maximumTimeToLock", {"value": -1}, ""),
    ("passwordEnabled", {"value": "PASSWORD_X"}, ""),
    ("disableCamera", {"value": 1, "items_id_applied": 9}, "notifiable object"),
]


@pytest.mark.parametrize(("symbol", "fields", "told"), REFUSALS)
def test_a_wrong_task_is_refused(backend, boss, device, symbol, fields, told):
    device(backend).enroll()
    backend.tasks.add_file(b"x", "a")
    file = {"itemtype": "PluginFlyvemdmFile", "items_id": 1} if symbol == "deployFile" else {}
    status, (code, message) = boss.assign(symbol, **{**file, **fields})
    assert (status, code) == (400, "ERROR_GLPI_ADD")
    assert told in message and (told or not message)


def test_tasks_are_given_changed_and_taken_back(pair, backend):
    boss, one, connection = pair
    assert boss.assign("disableCamera", value=1)[1]["id"] == 1
    assert json.loads(connection.get().payload) == {"disableCamera": "true", "taskId": 1}
    assert boss.assign("disableCamera", value=1)[1] == ["ERROR_GLPI_ADD", "Policy already applied"]
    (row,) = boss.get("/PluginFlyvemdmTask", **{"searchText[items_id_applied]": "^17$"}).json()
    assert (row["value"], row["itemtype"]) == (1, None)
    connection.publish("Status/Task/1", {"status": "done"})
    assert backend.wait_event("task", status="done")
    assert boss.call("PUT", "/PluginFlyvemdmTask/1", {"value": "0"})[0] == 200
    assert json.loads(connection.get().payload)["disableCamera"] == "false"
    assert (
        boss.get("/PluginFlyvemdmTask/1/PluginFlyvemdmTaskstatus").json()[0]["status"] == "pending"
    )
    assert boss.call("PUT", "/PluginFlyvemdmTask/1", {})[0] == 400
    nested = boss.http.put("/PluginFlyvemdmTask/1", json={"input": {"value": {}}})
    assert nested.status_code == 500
    assert boss.call("DELETE", "/PluginFlyvemdmTask/1")[0] == 200
    assert connection.get().payload == b""


def test_what_a_removed_task_brought_is_removed_or_the_plugin_fails(pair, backend):
    boss, one, connection = pair
    file = backend.tasks.add_file(b"x", "a.txt")
    kept = {"itemtype": "PluginFlyvemdmFile", "items_id": file.id}
    for number, flag in ((1, 1), (3, 0)):
        value = {"destination": "%SDCARD%/dir/", "remove_on_delete": flag}
        assert boss.assign("deployFile", value=value, **kept)[1]["id"] == number
        row = boss.get(f"/PluginFlyvemdmTask/{number}").json()
        assert json.loads(row["value"]) == value
        removed = boss.http.delete(f"/PluginFlyvemdmTask/{number}")
        assert removed.status_code == (200 if flag else 500)
        assert boss.get(f"/PluginFlyvemdmTask/{number}").status_code == 404
    (task,) = boss.get("/PluginFlyvemdmTask").json()
    assert task["value"] == "%SDCARD%/dir/a.txt"
    assert boss.call("DELETE", f"/PluginFlyvemdmFile/{file.id}")[0] == 200


def test_the_first_generation_knows_tasks_of_fleets_only(start, device):
    backend = start("A")
    boss, one = Administrator(backend), device(backend)
    one.enroll()
    refused = boss.assign("disableCamera", value=1)[1]
    assert refused == ["ERROR_GLPI_ADD", "Fleet and policy must be specified"]
    default = boss.assign("disableCamera", value=1, plugin_flyvemdm_fleets_id=102)[1]
    assert default[1] == "Cannot apply a policy on a not managed fleet"
    backend.admin.fleet(17, "lab")
    assert boss.assign("disableCamera", value=1, plugin_flyvemdm_fleets_id=103)[0] == 201
    assert boss.get("/PluginFlyvemdmTask/1").json()["plugin_flyvemdm_fleets_id"] == 103


def test_a_second_row_freezes_a_status(pair, backend):
    boss, one, connection = pair
    task = backend.tasks.remove_app(17, "org.example")
    row = backend.state.status_of(task, one.agent)
    backend.state.add("statuses", type(row), agent_id=17, task_id=task.id)
    connection.publish(f"Status/Task/{task.id}", {"status": "done"})
    assert backend.wait_event("ignored", reason="the status has two rows")
    assert row.status == "pending"


def test_an_upload_keeps_every_byte_and_the_manifests_name(backend, boss):
    status, body = boss.upload("PluginFlyvemdmFile", "b1.zip", EVERY_BYTE)
    assert (status, body["id"]) == (201, 1)
    assert body["upload_result"]["file"][0]["size"] == len(EVERY_BYTE)
    got = boss.http.get("/PluginFlyvemdmFile/1", headers={"Accept": "application/octet-stream"})
    assert got.content == EVERY_BYTE
    row = boss.get("/PluginFlyvemdmFile/1").json()
    assert (row["name"], row["entities_id"], row["filesize"]) == ("a.mpy", 0, len(EVERY_BYTE))
    assert boss.call("PUT", "/PluginFlyvemdmFile/1", {"name": "b.mpy"})[0] == 200
    assert boss.get("/PluginFlyvemdmFile/1").json()["name"] == "b.mpy"


@pytest.mark.parametrize(
    ("itemtype", "name", "how", "told"),
    [
        ("PluginFlyvemdmFile", "a.mpy", {}, "Failed to store the uploaded file"),
        ("PluginFlyvemdmFile", "a.zip", {"part": "file[]"}, "Failed to store the uploaded file"),
        (
            "PluginFlyvemdmFile",
            "a.zip",
            {"manifest": rb'{"input":{"name":"a\"b"}}'},
            "JSON payload",
        ),
        ("PluginFlyvemdmFile", "a.zip", {"manifest": b"{}"}, "JSON payload seems not valid"),
        ("PluginFlyvemdmPackage", "a.zip", {}, "Only APK and UPK files are allowed"),
        ("PluginFlyvemdmPackage", "a.py", {}, "Unable to save the file"),
    ],
)
def test_an_upload_that_glpi_refuses(boss, itemtype, name, how, told):
    status, (_, message) = boss.upload(itemtype, name, b"x", **how)
    assert status == 400 and told in message


def test_uploads_too_large_and_by_put_look_the_same(backend, boss):
    backend.options.post_max_size = 500
    assert boss.upload("PluginFlyvemdmFile", "a.zip", b"x" * 500)[1][0].endswith("POST_MAX_SIZE")
    backend.tasks.add_file(b"x", "a.txt")
    put = boss.http.put("/PluginFlyvemdmFile/1", files={"file": ("a.zip", b"x")})
    assert put.json()[0] == "ERROR_UPLOAD_FILE_TOO_BIG_POST_MAX_SIZE"


def test_a_document_type_that_is_added_is_taken(boss):
    added = {"name": "MicroPython", "ext": "mpy", "is_uploadable": 1}
    assert boss.call("POST", "/DocumentType", added)[0] == 201
    assert boss.upload("PluginFlyvemdmFile", "a.mpy", b"x")[0] == 201


def test_a_package_is_named_by_hand(pair):
    boss, one, connection = pair
    boss.call("POST", "/changeActiveEntities", json={"entities_id": 76})
    manifest = b'{"input":{"alias":"x","package_name":"org.no"}}'
    assert boss.upload("PluginFlyvemdmPackage", "b1.apk", b"tar", manifest)[0] == 201
    row = boss.get("/PluginFlyvemdmPackage/1").json()
    assert (row["package_name"], row["parse_status"], row["alias"]) == ("", "pending", "x")
    named = {"package_name": "org.esp32.app", "version_code": "3", "version": "1.2",
             "dl_filename": "app.tar", "parse_status": "parsed"}  # fmt: skip
    assert boss.call("PUT", "/PluginFlyvemdmPackage/1", named)[0] == 200
    kept = {"itemtype": "PluginFlyvemdmPackage", "items_id": 1, "value": {"remove_on_delete": 1}}
    assert boss.assign("deployApp", **kept)[1]["id"] == 1
    sent = json.loads(connection.get().payload)
    assert sent == {"deployApp": "org.esp32.app", "id": "1", "versionCode": "3", "taskId": 1}
    one.log_in(one.settings["api_token"])
    assert one.call("GET", "/PluginFlyvemdmPackage/1").json()["dl_filename"] == "app.tar"
    assert boss.call("PUT", "/PluginFlyvemdmPackage/1", {"version_code": "4"})[0] == 200
    assert json.loads(connection.get().payload)["versionCode"] == "4"


def test_a_file_of_another_entity_is_none_of_a_devices(backend, boss, device):
    one = device(backend)
    one.enroll()
    boss.upload("PluginFlyvemdmFile", "b1.zip", b"x")
    one.log_in(one.settings["api_token"])
    assert one.call("GET", "/PluginFlyvemdmFile/1").status_code == 401


def test_a_person_is_found_or_made_and_invited(backend, boss):
    email = {"criteria[0][field]": 5, "criteria[0][searchtype]": "equals",
             "criteria[0][value]": "eve@example.org"}  # fmt: skip
    assert "data" not in boss.get("/search/User", range="0-1", **email).json()
    person = {"name": "eve", "_useremails": ["eve@example.org"], "firstname": "Eve"}
    assert boss.call("POST", "/User", person)[1]["id"] == 42
    assert boss.call("POST", "/User", person)[0] == 400
    (found,) = boss.get("/search/User", range="0-1", **email).json()["data"]
    assert found == {"1": "eve", "2": 42, "5": "eve@example.org"}
    boss.call("PUT", "/PluginFlyvemdmEntityConfig/76", {"support_name": "Lab"})
    assert boss.call("POST", "/PluginFlyvemdmInvitation", {"users_id": 42})[1]["id"] == 1
    row = boss.get("/PluginFlyvemdmInvitation/1").json()
    assert (row["status"], row["users_id"], len(row["invitation_token"])) == ("pending", 42, 64)
    (mail,) = boss.get("/QueuedNotification", **{"searchText[items_id]": "^1$"}).json()
    data = base64.b64decode(mail["body_text"].partition("?data=")[2].strip()).decode()
    token = boss.get("/User/42").json()["api_token"]
    assert data.split("\\;")[1:4] == [token, row["invitation_token"], "Lab"]
    for wrong, told in (({}, "Invalid data"), ({"users_id": 9}, "The user was deleted."),
                        ({"users_id": 2}, "Email address is invalid")):  # fmt: skip
        assert told in boss.call("POST", "/PluginFlyvemdmInvitation", wrong)[1][1]


def test_older_generations_invite_by_address(start):
    boss = Administrator(start("B"))
    assert boss.call("POST", "/PluginFlyvemdmInvitation", {"users_id": 2})[0] == 400
    sent = {"users_id": 2, "_useremails": "eve@example.org"}
    assert boss.call("POST", "/PluginFlyvemdmInvitation", sent)[0] == 201
    assert boss.get("/User/42").json()["name"] == "eve@example.org"


def test_why_an_enrollment_failed_is_logged(backend, boss, device):
    one = device(backend)
    one.log_in()
    one.switch()
    one.post(_email="other@example.org")
    (line,) = boss.get("/PluginFlyvemdmInvitation/1/PluginFlyvemdmInvitationlog").json()
    assert line["event"] == "Wrong email address"
    assert boss.call("PUT", "/PluginFlyvemdmInvitation/1", {"status": "done"})[0] == 200
    assert boss.get("/PluginFlyvemdmInvitation/1").json()["status"] == "done"
