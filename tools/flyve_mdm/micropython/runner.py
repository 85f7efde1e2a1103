# Runs inside MicroPython, on the unix port or on a board: calls test functions (run) or
# whatever the host asks for (serve). All that the tests print goes to the host as it is; a
# line of ours starts with the record separator, so that it is told from the tests' output.

import gc
import json
import sys

_MARK = "\x1e"


def _say(record):
    print(_MARK + json.dumps(record))


def _trace(error):
    # Printed, not built in memory: the heap may be full.
    print(_MARK + "traceback")
    sys.print_exception(error)


def run(name, functions):
    """Imports the test module and calls the functions in turn; one record for each step."""
    try:
        module = __import__(name)
    except BaseException as error:
        _trace(error)
        _say({"outcome": "unimportable", "error": type(error).__name__})
        return
    _say({"outcome": "imported"})
    for function in functions:
        outcome = "passed"
        reason = ""
        gc.collect()
        try:
            getattr(module, function)()
        except KeyboardInterrupt as error:  # the host's last word before it kills us
            _trace(error)
            _say({"outcome": "interrupted"})
            return
        except BaseException as error:
            reason = type(error).__name__
            if reason == "SkipTest":
                outcome = "skipped"
                reason = str(error)
            else:
                outcome = "failed"
                _trace(error)
        _say({"test": function, "outcome": outcome, "error": reason})


def pack(value, blobs):
    """The value for JSON; bytes become numbers of what is appended to blobs. For both ends."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        blobs.append(value)
        return {"$blob": len(blobs) - 1}
    if isinstance(value, (list, tuple)):
        return [pack(item, blobs) for item in value]
    if isinstance(value, dict):
        return {key: pack(item, blobs) for key, item in value.items()}
    return value


def unpack(value, blobs):
    """The value that pack() was given."""
    if isinstance(value, list):
        return [unpack(item, blobs) for item in value]
    if isinstance(value, dict):
        if "$blob" in value:
            return blobs[value["$blob"]]
        return {key: unpack(item, blobs) for key, item in value.items()}
    return value


def _answer(request, source):
    blobs = [source.read(length) for length in request["blobs"]]
    module = request["module"]
    __import__(module)
    function = getattr(sys.modules[module], request["function"])
    result = function(*unpack(request["args"], blobs))
    blobs = []
    return pack(result, blobs), blobs


def serve():
    """Answers calls from stdin until it ends: a line of JSON, then the bytes arguments."""
    source = sys.stdin.buffer
    while True:
        line = source.readline()
        if not line:
            return
        blobs = []
        try:
            result, blobs = _answer(json.loads(line), source)
            record = {"result": result}
        except Exception as error:
            _trace(error)
            record = {"error": type(error).__name__, "message": str(error)}
        record["blobs"] = [len(blob) for blob in blobs]
        _say(record)
        for blob in blobs:
            sys.stdout.buffer.write(blob)
