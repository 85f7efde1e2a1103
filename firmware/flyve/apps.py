"""Runs the installed applications: each is a generator that is advanced in turn."""

import gc
import os
import sys

from micropython import const

from flyve import board, log, resident

_RAISES = const(3)  # after which an application is stopped
_SAFE = const(5)  # as update.py has it


class _App:
    def __init__(self, path):
        self.path = path
        self.job = None
        self.raised = 0
        self.over = False


def _hide(path):
    # Modules of an application stay its own: another one may have some of the same name.
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", "").startswith(path + "/"):
            del sys.modules[name]


class Apps:
    """All applications. agent.app_failed(name, why) is told of one that was stopped for
    raising."""

    def __init__(self, agent):
        self._agent = agent
        self._apps = {}
        self.pause(agent.rec.get("lock"))
        self.safe = (board.nvs_get_int("crashes") or 0) >= _SAFE

    def refresh(self):
        """Starts what is installed and does not run, stops what runs and is not installed."""
        found = {} if self.safe else dict(resident.load("packages").paths())
        for name, app in list(self._apps.items()):
            if found.get(name) != app.path:
                self.stop(name)
        for name, path in found.items():
            files = os.listdir(path)
            if name not in self._apps and ("app.py" in files or "app.mpy" in files):
                self._apps[name] = _App(path)

    def stop(self, name):
        """Ends an application, if it runs."""
        app = self._apps.pop(name, None)
        if app:
            self._end(app)

    @property
    def active(self):
        """True while any of them wants to go on."""
        return not self._paused and any(not app.over for app in self._apps.values())

    def pause(self, on):
        """Stops all applications where they are, or lets them go on."""
        self._paused = bool(on)

    def step(self, start=True):
        """Advances each application once; start: there is memory to start one."""
        if self._paused or not self._apps:
            return
        for name, app in list(self._apps.items()):
            if app.over or not (app.job or start):
                continue
            text = self._call(app, self._advance)
            if text is None:
                continue
            app.raised += 1
            log.warn("apps", "%s: %s", name, text)
            self._end(app)
            if app.raised >= _RAISES:
                app.over = True
                log.error("apps", "%s is stopped: it raised %d times", name, app.raised)
                self._agent.app_failed(name, text)

    def _advance(self, app):
        if app.job is None:
            start = getattr(__import__("app"), "start", None)
            app.job = start and start(self._agent)
        try:
            next(app.job or iter(()))
        except StopIteration:
            app.over = True

    def _end(self, app):
        if app.job:
            job = app.job
            app.job = None
            self._call(app, lambda app: job.close())
        gc.collect()

    def _call(self, app, what):
        """Runs what(app) with the application's modules in reach; returns what it raised."""
        count = len(sys.modules)
        sys.path.append(app.path)  # last: none of them replaces a module of the agent's
        try:
            what(app)
        except KeyboardInterrupt:
            raise
        except BaseException as e:  # SystemExit, too: only the agent restarts the board
            return repr(e)
        finally:
            if app.path in sys.path:
                sys.path.remove(app.path)
            if len(sys.modules) != count:
                _hide(app.path)
