"""What is forgotten with a job, and what stays for another one."""

import sys

from flyve import memory


def loaded():
    return sorted(key[11:] for key in sys.modules if key.startswith("flyve.jobs."))


def begin():
    memory.drop()
    assert loaded() == []


def test_a_job_goes_with_what_it_has_imported_at_its_top():
    begin()
    from flyve.jobs import http  # noqa: F401

    assert loaded() == ["http", "sockets"] and "urequests" in sys.modules
    memory.drop("http")
    assert loaded() == [] and "urequests" not in sys.modules


def test_what_another_job_has_imported_stays():
    begin()
    from flyve.jobs import removal, settled  # noqa: F401

    memory.drop("tasks", "files")
    assert loaded() == ["files", "known", "removal", "settled", "tasks", "texts"]
    memory.drop("removal")
    assert loaded() == ["files", "known", "settled", "tasks", "texts"]
    memory.drop("settled")
    assert loaded() == []


def test_the_package_names_it_no_longer():
    begin()
    from flyve.jobs import paths  # noqa: F401

    memory.drop("paths")
    assert "paths" not in sys.modules["flyve.jobs"].__dict__


def test_what_is_not_there_is_passed_over():
    begin()
    from flyve.jobs import paths  # noqa: F401

    memory.drop("rest", "nothing")
    assert loaded() == ["files", "paths"]


def test_all_go_although_some_import_others():
    begin()
    from flyve.jobs import http, settled  # noqa: F401

    begin()
    assert "urequests" not in sys.modules


def test_to_forget_all_takes_no_memory():
    import micropython

    begin()
    from flyve.jobs import report, settled  # noqa: F401

    collect, memory.collect = memory.collect, lambda: None
    micropython.heap_lock()
    try:
        memory.drop()
    finally:
        micropython.heap_unlock()
        memory.collect = collect
    assert loaded() == []
