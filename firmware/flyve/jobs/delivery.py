"""One file on its way from the backend to the flash, step by step. The modules for each step come
and go, for at a request there is room for few of them: delivery_steps.py decides what comes next,
rest.py asks, download.py takes what comes."""

from flyve import memory


def run(online, part):
    """A job: brings the file of a part (delivery_steps.begin), and yields after each piece of at
    most 4 KiB; at its end the file is in its place. Returns its path, or the OTA partition that
    an image is in.

    Raises Failed or Incompatible when it cannot be had, nothing of it is kept then; NetError
    when the same may go on later, from what is durable."""
    failure = None
    try:
        while _decide(part, failure):
            memory.drop("delivery_steps")
            failure = None
            try:
                answer = None if part["ask"] is None else _request(online, part)
                memory.drop("rest")
                yield from _work(part, answer)
            except Exception as e:
                failure = e
            answer = None
            memory.drop("download", "delivery_form", "jsonpick", "paths", "slot")
            yield
        return part["slot"] or part["path"]
    finally:
        if part["file"]:
            part["file"].close()


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _decide(part, failure):
    from flyve.jobs import delivery_steps as steps

    return steps.decide(part, failure)


def _request(online, part):
    from flyve.jobs import rest

    api = rest.resume(online)
    answer = rest.request(api, "GET", part["item"], "", part["ask"], None, 2 * part["ms"], True)
    answer[2].extend(part["ms"])
    return answer


def _work(part, answer):
    if part["ask"] is not None and not part["ask"]:
        from flyve.jobs import delivery_form as form

        form.read(part, answer)
    else:
        from flyve.jobs import download

        yield from download.work(part, answer)
