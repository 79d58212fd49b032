"""Sent is not arrived: a word is seen at the other end, or there is a reason why not."""

from __future__ import annotations

from collections.abc import Callable

from day2.errors import StepFailed, Unavailable
from day2.operations.health_check import arrival
from day2.operations.health_check.checks import of_drill


def says(*answers: str | Exception) -> Callable[[], str]:
    """A receiver that gives these answers, one after the other; the last one for ever."""
    left = list(answers)

    def ask() -> str:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def seen(*answers: str | Exception, seconds: float = 5) -> str:
    return arrival.seen(says(*answers), "abcd1234", seconds=seconds, every=0)


def test_a_word_that_comes_late_is_seen():
    assert seen("[]", Unavailable("it starts"), "the word is abcd1234") == ""


def test_another_word_is_not_the_one():
    assert seen("the word is abcd9999", seconds=0) == "the receiver does not have it after 0 s"


def test_a_receiver_that_is_down_until_the_end_is_named():
    assert seen(Unavailable("http://on-call does not answer"), seconds=0) == (
        "the receiver cannot be asked: http://on-call does not answer"
    )


def test_it_is_asked_once_even_without_time():
    assert seen("abcd1234", seconds=0) == ""


def test_an_answer_that_only_repeats_the_question_proves_nothing():
    assert "proves nothing" in arrival.repeats(says("no message has abcd1234"), "abcd1234")
    assert arrival.repeats(says("no message"), "abcd1234") == ""
    assert arrival.repeats(says(StepFailed("answered 404: abcd1234")), "abcd1234") == ""


def test_the_word_is_in_the_text_and_not_in_what_the_ledger_keeps():
    word = arrival.token()
    message = arrival.message("production", "mail", word)
    assert word in message.body
    assert word not in message.title + "".join(message.keys)
    assert (message.severity, message.resolved) == ("info", False)


def test_words_differ_and_only_who_has_one_has_its_fingerprint():
    words = {arrival.token() for _ in range(200)}
    assert len(words) == 200
    one, other = list(words)[:2]
    assert arrival.fingerprint(f" {one.upper()}\n") == arrival.fingerprint(one), "as people type it"
    assert arrival.fingerprint(one) != arrival.fingerprint(other)
    assert one not in arrival.fingerprint(one)


def test_one_that_did_not_arrive_fails_the_drill():
    found = of_drill({"mail": "", "pager": "nobody typed its word"})
    assert not found.passed
    assert [(each.target, each.passed, each.observed) for each in found.checks] == [
        ("mail", True, "seen"),
        ("pager", False, "nobody typed its word"),
    ]
