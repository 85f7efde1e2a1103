"""An administrator's raw REST calls, as GLPI has them."""

import json

import httpx


class Administrator:
    """A session of GLPI's first account."""

    def __init__(self, backend):
        self.http = httpx.Client(base_url=backend.url, trust_env=False, timeout=20)
        token = {"Authorization": f"user_token {backend.admin_token}"}
        answer = self.http.get("/initSession", headers=token)
        self.http.headers["Session-Token"] = answer.json()["session_token"]

    def call(self, method, path, fields=None, **arguments):
        """The status and the JSON of an answer; fields: the input of a POST or a PUT."""
        if fields is not None:
            arguments["json"] = {"input": fields}
        answer = self.http.request(method, path, **arguments)
        return answer.status_code, json.loads(answer.text or "null")

    def get(self, path, **params):
        """A whole answer of a GET."""
        return self.http.get(path, params=params)

    def upload(self, itemtype, name, data, manifest=b'{"input":{"name":"a.mpy"}}', part="file"):
        """A multipart POST; returns status and JSON."""
        parts = {"uploadManifest": (None, manifest, "application/json"), part: (name, data)}
        answer = self.http.post(f"/{itemtype}", files=parts)
        return answer.status_code, answer.json()

    def policy(self, symbol):
        """The id of a policy."""
        (row,) = self.get("/PluginFlyvemdmPolicy", **{"searchText[symbol]": f"^{symbol}$"}).json()
        return row["id"]

    def assign(self, symbol, agent=17, **fields):
        """POST a task of an agent."""
        fields = {
            "itemtype_applied": "PluginFlyvemdmAgent", "items_id_applied": agent,
            "plugin_flyvemdm_policies_id": self.policy(symbol), **fields,
        }  # fmt: skip
        return self.call("POST", "/PluginFlyvemdmTask", fields)
