from service.errors.catalogue import catalogue, explain
from service.errors.queue import QueueFull


def test_every_problem_has_a_type_of_its_own():
    kinds = catalogue()
    assert len({kind.title for kind in kinds.values()}) == len(kinds)
    assert {"queue-full", "invalid-region", "internal-error"} <= kinds.keys()


def test_problem_document_has_the_members_of_rfc_9457():
    assert QueueFull("9 jobs are waiting").problem() == {
        "type": "/problems/queue-full",
        "title": "Queue full",
        "status": 503,
        "detail": "9 jobs are waiting",
    }


def test_a_full_queue_says_when_to_come_back():
    assert int(QueueFull("").headers["Retry-After"]) > 0


def test_every_problem_is_explained():
    assert all(len(explain(kind).splitlines()[2]) > 20 for kind in catalogue().values())
