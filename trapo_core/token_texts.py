"""What each token of a text says, as the number of characters that it adds: all a reader needs to find it there."""

from collections.abc import Callable, Sequence
from itertools import chain

LONGEST_WAIT = 16  # tokens; a character of four bytes may be four of them
BROKEN = "\ufffd"  # how a decoder writes bytes that are no character, or none yet


class TokenTexts:
    """`decode` turns ids into text, as the whole text was made. Remembers what single tokens say."""

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._said: dict[int, str] = {}

    def lengths(self, *parts: tuple[Sequence[int], str]) -> list[int] | None:
        """Of the tokens of all parts, (ids, their text), in order; None if tokens and a text do not fit together."""
        found = [self._of_part(ids, text) for ids, text in parts]
        return None if None in found else list(chain.from_iterable(part for part in found if part is not None))

    def _of_part(self, ids: Sequence[int], text: str) -> list[int] | None:
        said = [self._one(token) for token in ids]
        return [len(word) for word in said] if "".join(said) == text else self._slowly(ids, text)

    def _slowly(self, ids: Sequence[int], text: str) -> list[int] | None:
        """Where characters are spread over tokens, the last of them says the character. Some tokenizers drop the blank
        before a first word."""
        lengths: list[int] = []
        waiting: list[int] = []
        at = 0
        for place, token in enumerate(ids):
            waiting.append(token)
            said = self._one(token) if len(waiting) == 1 else self._decode(waiting)
            more = place + 1 < len(ids) and len(waiting) < LONGEST_WAIT
            fits = next((word for word in (said, f" {said}") if text.startswith(word, at)), None)
            if fits is None or (more and said.endswith(BROKEN)):
                if not more:
                    return None
                lengths.append(0)
                continue
            lengths.append(len(fits))
            at += len(fits)
            waiting.clear()
        return lengths if at == len(text) else None

    def _one(self, token: int) -> str:
        if token not in self._said:
            self._said[token] = self._decode([token])
        return self._said[token]
