from client.sse import ServerEvent, decode


def test_an_event_has_an_id_a_name_and_data() -> None:
    assert list(decode(["id: 7", "event: step", 'data: {"a": 1}', ""])) == [ServerEvent("7", "step", '{"a": 1}')]


def test_lines_of_data_are_joined_and_comments_are_nothing() -> None:
    assert list(decode([": keep-alive", "", "data: one", "data:two", ""])) == [ServerEvent("", "message", "one\ntwo")]


def test_the_id_stays_until_another_comes() -> None:
    assert [event.id for event in decode(["id: 1", "data: a", "", "data: b", ""])] == ["1", "1"]


def test_an_event_cut_off_is_not_given() -> None:
    assert list(decode(["id: 1", "data: a"])) == []


def test_an_id_alone_is_no_event() -> None:
    assert list(decode(["id: 1", "", "retry: 5", ""])) == []
