"""Runs the installed applications: each is a generator that is advanced in turn."""

import binascii
import gc
import os
import sys

from micropython import const

from flyve import board, log, memory

_RAISES = const(3)  # after which an application is stopped
_NOTE = const("app")  # in NVS: in whose code the board is, see _mark(); 0 in none
_HUNG = const(".hung")  # in the folder of a version that is not started any more
_CRASHES = const(2)  # in a row, after which it may be an application that resets the board
_CAREFUL_MS = const(300000)  # after such a start; as long as it counts as one, see agent.py
_ROUND_MS = const(1000)


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


def _mark(path):
    return binascii.crc32(path.encode()) & 0x7FFFFFFF


def _installed():
    from flyve.jobs import packages

    found = dict(packages.installed())
    packages = None
    memory.drop("packages")
    return found


class Apps:
    """All applications. agent.online.box["failed"] has the one that was stopped, and why: for
    raising, or because the board hung in its code."""

    def __init__(self, agent):
        self._agent = agent
        self._apps = {}
        self._failed = []  # (name, why), until the agent can be told
        self._round = -_ROUND_MS
        machine = board.machine
        cause = machine.reset_cause()
        from flyve.jobs import nvs, update

        # After the watchdog, or with it, each step is noted, and they come slowly: once the board
        # has hung again, it is known in whose code.
        self._careful = cause == machine.WDT_RESET or update.crashes() >= _CRASHES
        try:
            self._guilty = nvs.get_int(_NOTE) or 0
        except OSError:  # it holds something else
            self._guilty = 0
            self._note(0)
        if cause != machine.WDT_RESET and not (cause == machine.HARD_RESET and self._careful):
            self._guilty = 0
        self.pause(agent.rec.get("lock"))
        self.safe = update.safe_mode()
        nvs = update = None
        memory.drop("update")

    def refresh(self):
        """Starts what is installed and does not run, stops what runs and is not installed."""
        found = {} if self.safe else _installed()
        for name, app in list(self._apps.items()):
            if found.get(name) != app.path:
                self.stop(name)
        for name, path in found.items():
            try:
                files = os.listdir(path)
            except OSError as e:
                log.error("apps", "%s cannot be read: deploy it again (%s)", name, e)
                continue
            if name not in self._apps and ("app.py" in files or "app.mpy" in files):
                self._apps[name] = app = _App(path)
                if _HUNG in files or self._guilty == _mark(path):
                    app.over = True
                    self._condemn(name, path + "/" + _HUNG)

    def _condemn(self, name, path):
        why = "the board hung or was reset in it"
        log.error("apps", "%s is stopped: %s", name, why)
        self._failed.append((name, why))
        try:
            open(path, "w").close()
            self._note(0)
        except OSError as e:
            log.warn("apps", "it will be started again: flash: %s", e)

    def _note(self, mark):
        try:
            kept = board.nvs()
            try:
                kept.set_i32(_NOTE, mark)
            except OSError:
                kept.erase_key(_NOTE)
            kept.commit()
        except OSError:
            pass  # NVS is full: as if there were no note

    def stop(self, name):
        """Ends an application, if it runs."""
        app = self._apps.pop(name, None)
        if app:
            self._end(app)

    def end(self):
        """Ends all of them."""
        for name in list(self._apps):
            self.stop(name)

    @property
    def active(self):
        """True while any of them wants to go on."""
        return not self._paused and any(not app.over for app in self._apps.values())

    def pause(self, on):
        """Stops all applications where they are, or lets them go on."""
        self._paused = bool(on)

    def step(self, start=True):
        """Advances each application once; start: there is memory to start one."""
        online = self._agent.online
        while self._failed and online:
            online.box["failed"].append(self._failed.pop(0))
            online.look()
        if self._paused or not self._apps:
            return
        if self._careful:
            up = log.uptime()
            self._careful = up < _CAREFUL_MS
            if up - self._round < _ROUND_MS:
                return
            self._round = up
        for name, app in list(self._apps.items()):
            if app.over or not (app.job or start):
                continue
            text = self._call(app, self._advance, self._careful or not app.job)
            if text is None:
                continue
            app.raised += 1
            log.warn("apps", "%s: %s", name, text)
            self._end(app)
            if app.raised >= _RAISES:
                app.over = True
                log.error("apps", "%s is stopped: it raised %d times", name, app.raised)
                self._failed.append((name, "it raised " + text))

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

    def _call(self, app, what, noted=True):
        """Runs what(app) with the application's modules in reach; returns what it raised. noted: a
        start after a watchdog's bite is to know that it was in there."""
        if noted:
            self._note(_mark(app.path))
        count = len(sys.modules)
        sys.path.append(app.path)  # last: none of them replaces a module of the agent's
        try:
            what(app)
        except KeyboardInterrupt:
            raise
        except BaseException as e:  # SystemExit, too: only the agent restarts the board
            return "OSError: " + log.reason(e) if isinstance(e, OSError) else repr(e)
        finally:
            if noted:
                self._note(0)
            if app.path in sys.path:
                sys.path.remove(app.path)
            if len(sys.modules) != count:
                _hide(app.path)
