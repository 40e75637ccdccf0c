"""Words of texts, and how alike two texts are: TF-IDF and the cosine. Pure.

The weights are the usual ones (Manning, Raghavan, Schütze: Introduction to Information Retrieval, chapter 6): a term
counts 1 + ln of how often it occurs, times how rare it is among the documents, smoothed; vectors have length 1.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, log, sqrt

Vector = Mapping[str, float]

# What is beyond that says the same again, mostly a log.
MOST_CHARACTERS = 4000
_WORD = re.compile(r"[^\W_]+(?:[-.'’][^\W_]+)*")
_ENDINGS = ("ingly", "ing", "edly", "ers", "er", "ed", "es", "s")
_SHORTEST_STEM = 4
_COMMON = """
a about after all also am an and any are as at be been before both but by can cannot could did do does doing done
for from get gets getting got had has have having he hello her hi him his how i if in into is it its just kind like
me may more most my no not now of on once only or other our out over own please regards same she should since so
some such than thank thanks that the their them then there these they this those through to too under until up us
use very was we were what when where which while who why will with would you your yours
"""
_STOP_WORDS = frozenset(_COMMON.split())


def words(text: object) -> list[str]:
    """The words of a text in lower case, in order; none for what is no text."""
    if not isinstance(text, str):
        return []
    return _WORD.findall(unicodedata.normalize("NFKC", text[:MOST_CHARACTERS]).casefold())


def terms(text: object) -> list[str]:
    """What a text is compared by: its words without the common ones and without endings, so that "printers" and
    "printing" are one."""
    return [_stem(word) for word in words(text) if len(word) > 1 and word not in _STOP_WORDS]


@dataclass(frozen=True)
class Corpus:
    """Documents, each a vector of weights by term, and how rare each term is among them."""

    vectors: tuple[Vector, ...]
    rarity: Mapping[str, float]
    # Of a term that no document has.
    unknown: float

    @classmethod
    def of(cls, documents: Sequence[Sequence[str]]) -> "Corpus":
        """`documents`: the terms of each."""
        count = len(documents)
        occurrences = Counter(term for document in documents for term in set(document))
        rarity = {term: log((1 + count) / (1 + found)) + 1 for term, found in occurrences.items()}
        corpus = cls((), rarity, log(1 + count) + 1)
        return cls(tuple(corpus.vector(document) for document in documents), rarity, corpus.unknown)

    def vector(self, document: Iterable[str]) -> Vector:
        """Weights by term; of length 1, or empty for a document without terms."""
        counted = Counter(document)
        weights = {
            term: (1 + log(count)) * self.rarity.get(term, self.unknown) for term, count in sorted(counted.items())
        }
        length = sqrt(fsum(weight * weight for weight in weights.values()))
        return {term: weight / length for term, weight in weights.items()} if length else {}


def likeness(one: Vector, other: Vector) -> float:
    """The cosine of two vectors of a corpus: 0 when they share no term, 1 when they say the same."""
    return min(1.0, fsum(weight * other[term] for term, weight in one.items() if term in other))


def shared(one: Vector, other: Vector, most: int = 6) -> list[str]:
    """The terms that make the two alike, those that count most first."""
    common = {term: weight * other[term] for term, weight in one.items() if term in other}
    return sorted(common, key=lambda term: (-common[term], term))[:most]


def shortened(text: str, most: int) -> str:
    """The text in at most so many characters, on one line; an ellipsis shows that something is left out."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


def counted(count: int, noun: str) -> str:
    """The noun with its number: "1 ticket", "2 tickets"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _stem(word: str) -> str:
    if word.endswith("ies") and len(word) > _SHORTEST_STEM + 1:
        return word[:-3] + "y"
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word
