"""Characters of each token, for tokenizers that split characters and for those that drop a blank."""

import pytest

from trapo_core.token_texts import TokenTexts


def of_bytes(ids):
    return bytes(ids).decode(errors="replace")


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("abc", [1, 1, 1]),
        ("", []),
        ("a€b", [1, 0, 0, 1, 1]),
        ("𝑥²", [0, 0, 0, 1, 0, 1]),
    ],
)
def test_the_last_token_of_a_character_says_it(text, lengths):
    ids = list(text.encode())
    assert TokenTexts(of_bytes).lengths((ids, text)) == lengths


@pytest.mark.parametrize("ids", [[0xE2, 0x82, 97], [0xE2], [97, 0xFF, 0xFF, 98], [0x82] * 5 + [97]])
def test_bytes_that_are_no_character_lose_nothing(ids):
    text = of_bytes(ids)
    lengths = TokenTexts(of_bytes).lengths((ids, text))
    assert lengths is not None
    assert (len(lengths), sum(lengths)) == (len(ids), len(text))


def test_a_blank_that_a_first_word_lacks_belongs_to_its_token():
    words = ["the", "cat", "sat"]
    decode = lambda ids: " ".join(words[i] for i in ids)  # noqa: E731
    assert TokenTexts(decode).lengths(([0, 1], "the cat"), ([2], "sat")) == [3, 4, 3]


def test_texts_that_do_not_fit_are_not_told():
    assert TokenTexts(of_bytes).lengths((list(b"ab"), "ab"), (list(b"ab"), "xy")) is None
