"""Merkle trees as in RFC 6962 (Certificate Transparency), section 2.1, with SHA-256, grown leaf by leaf.

A tree is known by its size and its frontier: the roots of the complete subtrees it consists of, the largest first. That
is all that is needed to add a leaf or to tell the root.
"""

from dataclasses import dataclass
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


@dataclass(frozen=True)
class Tree:
    """`frontier` has a root for each bit that is set in `size`, the highest first."""

    size: int = 0
    frontier: tuple[bytes, ...] = ()

    def add(self, leaf: bytes) -> "Tree":
        """The tree with one more leaf, whose data is `leaf`."""
        node, size, frontier = leaf_hash(leaf), self.size, list(self.frontier)
        while size & 1:
            node, size = node_hash(frontier.pop(), node), size >> 1
        return Tree(self.size + 1, (*frontier, node))

    @property
    def root(self) -> bytes:
        if not self.frontier:
            return EMPTY_ROOT
        *others, node = self.frontier
        for left in reversed(others):
            node = node_hash(left, node)
        return node


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()
