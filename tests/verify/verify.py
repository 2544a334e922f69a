#!/usr/bin/env python3
"""A second verifier, written from docs/FORMATS.md alone; it shares nothing with the first.

    verify.py [--key VKEY] [--witness VKEY] [--keys FILE] [--quorum N] [--since FILE] FILE|FOLDER...

Exit 0 when everything holds, 5 when something does not, 2 for misuse.
"""
import argparse
import base64
import hashlib
import pathlib
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SPACES = {chr(c) for c in (*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)}
SIGNATURES = rb"(?:\xe2\x80\x94 [^\n]*\n)*"


class Bad(Exception):
    """Something does not hold."""


def need(holds, words):
    if not holds:
        raise Bad(words)


def sha(*pieces):
    return hashlib.sha256(b"".join(pieces)).digest()


def number(text):
    need(re.fullmatch(rb"0|[1-9][0-9]{0,18}", text) and int(text) < 1 << 63, "a number")
    return int(text)


def unbase64(text, size=None):
    need(re.fullmatch(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", text), "base64")
    data = base64.b64decode(text)
    need(base64.b64encode(data) == text and size in (None, len(data)), "base64 of that many bytes")
    return data


def plain_name(name):
    need(name and not any(c in SPACES or c == "+" for c in name), "a name")
    return name


class Key:
    def __init__(self, vkey):
        name, key_id, material = (vkey.split(b"+", 2) + [b"", b""])[:3]
        need(re.fullmatch(rb"[0-9a-f]{8}", key_id) and len(name) < 256, "a key")
        self.name, self.id, material = plain_name(name.decode()), bytes.fromhex(key_id.decode()), unbase64(material)
        self.kind, self.public = material[0], material[1:]
        if self.kind in (1, 4):
            need(len(self.public) == 32 and self.id == sha(name, b"\n", material)[:4], "a key's id")

    def check(self, raw, text):
        if self.kind == 4:
            time = int.from_bytes(raw[:8], "big")
            need(time < 1 << 63, "a time")
            raw, text = raw[8:], b"cosignature/v1\ntime %d\n" % time + text
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(raw, text)
        except (InvalidSignature, ValueError) as why:
            raise Bad("the signature of " + self.name) from why


class Head:
    def __init__(self, note, keys, quorum):
        need(len(note) <= 16384 and b"\n\n" in note and all(c >= " " or c == "\n" for c in note.decode()), "a note")
        text, lines = note[:note.rindex(b"\n\n") + 1], note[note.rindex(b"\n\n") + 2:]
        need(lines and re.fullmatch(SIGNATURES, lines) and lines.count(b"\n") <= 32, "signature lines")
        first = {}
        for line in lines.decode()[:-1].split("\n"):
            dash, name, raw = (line.split(" ", 2) + ["", ""])[:3]
            raw = unbase64(raw.encode())
            need(dash and len(raw) > 4, "a signature")
            first.setdefault((plain_name(name), raw[:4]), raw[4:])
        known = [key for key in keys if key.kind in (1, 4) and (key.name, key.id) in first]
        for key in known:
            key.check(first[key.name, key.id], text)
        lines = text[:-1].split(b"\n")
        need(len(lines) >= 3 and all(lines), "the lines of a head")
        self.origin, self.size, self.root = lines[0], number(lines[1]), unbase64(lines[2], 32)
        need(any(key.kind == 1 and key.name.encode() == self.origin for key in known), "a key of the log")
        own = {key.public for key in keys if key.kind == 1 and key.name.encode() == self.origin}
        need(len({key.public for key in known if key.kind == 4} - own) >= quorum, "the quorum of witnesses")


def half(size):
    return 1 << (size - 1).bit_length() - 1


def inclusion(index, size, leaf, proof):
    """The root that leaf and proof lead to: RFC 6962, 2.1.1, from the root down."""
    need(bool(proof) == (size > 1), "as many hashes as there are levels")
    if size == 1:
        return leaf
    if index < half(size):
        return sha(b"\1", inclusion(index, half(size), leaf, proof[:-1]), proof[-1])
    return sha(b"\1", proof[-1], inclusion(index - half(size), size - half(size), leaf, proof[:-1]))


def consistency(old, size, proof, known):
    """The roots of the old tree and of the new one (RFC 6962, 2.1.2); known: the old one, where it is a node of the new."""
    if old == size:
        need(len(proof) == (known is None), "as many hashes as there are")
        return (known or proof[0],) * 2
    need(proof, "more hashes")
    if old <= half(size):
        before, now = consistency(old, half(size), proof[:-1], known)
        return before, sha(b"\1", now, proof[-1])
    before, now = consistency(old - half(size), size - half(size), proof[:-1], None)
    return sha(b"\1", proof[-1], before), sha(b"\1", proof[-1], now)


def push(stack, level, value):
    while stack and stack[-1][0] == level:
        level, value = level + 1, sha(b"\1", stack.pop()[1], value)
    stack.append((level, value))


def root_of(stack):
    root = stack[-1][1] if stack else sha()
    for _, left in reversed(stack[:-1]):
        root = sha(b"\1", left, root)
    return root


def tree(leaves):
    stack = []
    for leaf in leaves:
        push(stack, 0, leaf)
    return root_of(stack)


def check_proof(lines, head, _heads):
    need(len(lines) >= 3 and lines[1].startswith(b"extra ") and lines[2].startswith(b"index "), "extra and index")
    entry, index, hashes = unbase64(lines[1][6:]), number(lines[2][6:]), [unbase64(line, 32) for line in lines[3:]]
    need(len(entry) < 65536 and len(hashes) < 64 and index < head.size, "limits")
    need(inclusion(index, head.size, sha(b"\0", entry), hashes) == head.root, f"entry {index}")


def check_consistency(lines, head, heads):
    old, hashes = number(lines[0][4:]), [unbase64(line, 32) for line in lines[1:]]
    root = next((h.root for h in heads if h.origin == head.origin and h.size == old), None)
    need(root and len(hashes) < 64 and old <= head.size, "the older head")
    need((not hashes and root == sha()) if old == 0 else consistency(old, head.size, hashes, root) == (root, head.root), "growth")


def check_bundle(lines, head, _heads):
    stack, position, lines = [], 0, lines[1:]
    if lines and lines[0].startswith(b"filter "):
        need(all(c >= " " for c in lines.pop(0).decode()), "a plain filter")
    for line in lines:
        word, first, value = (line.split(b" ", 2) + [b"", b""])[:3]
        level = number(first)
        if word == b"entry":
            need(level == position and b" " in value, f"entry {position}")
            level, (value, entry) = 0, value.split(b" ", 1)
            need(len(entry) < 65536 and sha(b"\0", entry) == unbase64(value), f"entry {position}")
        need(word in (b"entry", b"node") and level <= 62 and position % (1 << level) == 0, "a node's place")
        push(stack, level, unbase64(value, 32))
        position += 1 << level
    need(position == head.size and root_of(stack) == head.root, "the head's root")


def check_file(path, keys, quorum, heads):
    data = path.read_bytes()
    need(data, "something in the file")
    while data:
        check = check_bundle if data.startswith(b"entente-bundle@v1\n") else check_consistency if data.startswith(b"old ") else \
            check_proof if data.startswith(b"c2sp.org/tlog-proof@v1\n") else None
        body, _, data = data.partition(b"\n\n") if check else (b"", b"", data)
        text, blank, rest = data.partition(b"\n\n")
        end = re.match(SIGNATURES, rest).end()
        data = rest[end:] if end and not rest[end:].startswith("\u2014 ".encode()) else b""
        head = Head(text + blank + rest[:len(rest) - len(data)], keys, quorum)
        if check:
            check(body.split(b"\n"), head, heads)


def tile(folder, level, first, width):
    index = f"{first // 256:03d}".zfill(-(-len(f"{first // 256:03d}") // 3) * 3)
    path = folder / "tile" / str(level) / re.sub(r"\d{3}(?=\d)", r"x\g<0>/", index)
    return (path if width == 256 else pathlib.Path(f"{path}.p/{width}")).read_bytes()


def check_folder(folder, keys, quorum, heads):
    head, level = Head((folder / "checkpoint").read_bytes(), keys, quorum), 0
    hashes = []
    for first in range(0, head.size, 256):
        width, at = min(256, head.size - first), 0
        data = tile(folder, "entries", first, width)
        for _ in range(width):
            end = at + 2 + int.from_bytes(data[at:at + 2], "big")
            need(at + 2 <= end <= len(data), f"entry {len(hashes)}")
            hashes.append(sha(b"\0", data[at + 2:end]))
            at = end
        need(at == len(data), "nothing behind the entries")
    for old in [head] + [h for h in heads if h.origin == head.origin]:
        need(old.size <= head.size and tree(hashes[:old.size]) == old.root, f"the first {old.size} entries")
    while hashes:
        for first in range(0, len(hashes), 256):
            part = hashes[first:first + 256]
            need(tile(folder, level, first, len(part)) == b"".join(part), f"tile {first // 256} of level {level}")
        hashes, level = [tree(hashes[at - 256:at]) for at in range(256, len(hashes) + 1, 256)], level + 1


def main():
    parser = argparse.ArgumentParser(prog="verify.py")
    for option in ("key", "witness", "keys", "since"):
        parser.add_argument("--" + option, action="append", default=[])
    parser.add_argument("--quorum", type=int)
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    lines = [line for name in args.keys for line in pathlib.Path(name).read_bytes().split(b"\n") if line and line[:1] != b"#"]
    keys, worst = [Key(line) for line in [text.encode() for text in args.key + args.witness] + lines], 0
    heads = [Head(pathlib.Path(name).read_bytes(), keys, 0) for name in args.since]
    for path in args.paths:
        try:
            (check_folder if path.is_dir() else check_file)(
                path, keys, len(args.witness) if args.quorum is None else args.quorum, heads)
        except (Bad, UnicodeDecodeError, OSError) as why:
            worst = 5
            print(f"verify.py: {path}: does not hold: {why}", file=sys.stderr)
    return worst


if __name__ == "__main__":
    sys.exit(main())
