"""What bytes each token of a byte-level vocabulary stands for, and text as its bytes arrive."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenBytes:
    """The bytes of every token, by id; none for ids that the tokenizer does not know."""

    of: tuple[bytes, ...]

    @classmethod
    def read(cls, tokenizer: Any) -> TokenBytes:
        """From a `tokenizers.Tokenizer` with the byte-level alphabet of GPT-2."""
        vocabulary: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
        found = [b""] * (max(vocabulary.values()) + 1)
        for token, number in vocabulary.items():
            found[number] = _bytes(token)
        return cls(tuple(found))

    def join(self, tokens: Iterable[int]) -> bytes:
        size = len(self.of)
        return b"".join(self.of[token] if token < size else b"" for token in tokens)

    def text(self, tokens: Iterable[int]) -> str:
        """All of `tokens` at once; bytes that are no UTF-8 become U+FFFD."""
        return self.join(tokens).decode("utf-8", "replace")

    def shown(self, token: int) -> str:
        """One token by itself, as OpenAI writes it: its text, or `bytes:\\xNN` if it has none."""
        content = self.join((token,))
        try:
            return content.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in content)


class Detokenizer:
    """Text of tokens as they come: never half a character, and in the end what
    `TokenBytes.text` makes of them all."""

    def __init__(self, tokens: TokenBytes) -> None:
        self._tokens = tokens
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        """What `token` adds; "" while a character is not whole."""
        return self._decoder.decode(self._tokens.join((token,)))

    def finish(self) -> str:
        """What is left at the end: U+FFFD for a character that never became whole."""
        return self._decoder.decode(b"", final=True)


@cache
def _alphabet() -> dict[str, int]:
    """The character by which GPT-2's vocabularies write each byte: itself if it can be seen, else
    the next unused one from U+0100 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = [byte for byte in range(256) if byte not in seen]
    pairs = [(chr(byte), byte) for byte in seen]
    return dict([*pairs, *((chr(256 + i), byte) for i, byte in enumerate(unseen))])


def _bytes(token: str) -> bytes:
    alphabet = _alphabet()
    if all(character in alphabet for character in token):
        return bytes(alphabet[character] for character in token)
    # An added token, which is written as it reads.
    return token.encode()
