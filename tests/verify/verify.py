#!/usr/bin/env python3
"""A second verifier, written from docs/FORMATS.md alone and sharing nothing with the first.

    verify.py [--key VKEY] [--witness VKEY] [--keys FILE] [--quorum N] [--since FILE] FILE|FOLDER...

Exit 0 when everything holds, 5 when something does not, 2 for misuse.  With --batch the files are told
one by one: "0" or "5" and the name on a line each.
"""
import argparse
import base64
import hashlib
import pathlib
import re
import sys

from nacl.signing import VerifyKey

SPACES = set(map(chr, [*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]))


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


def unbase64(text):
    need(re.fullmatch(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", text), "base64")
    data = base64.b64decode(text)
    need(base64.b64encode(data) == text, "bits behind the end of base64")
    return data


def a_hash(text):
    data = unbase64(text)
    need(len(data) == 32, "a hash of 32 bytes")
    return data


def plain_name(name):
    return bool(name) and len(name.encode()) < 1 << 14 and not any(c in SPACES or c == "+" for c in name)


class Key:
    def __init__(self, vkey):
        parts = vkey.split(b"+", 2)
        need(len(parts) == 3 and re.fullmatch(rb"[0-9a-f]{8}", parts[1]), "a key")
        material = unbase64(parts[2])
        self.name, self.id, self.kind, self.public = parts[0].decode(), bytes.fromhex(parts[1].decode()), material[0], material[1:]
        need(plain_name(self.name) and (self.kind not in (1, 4) or self.id == sha(parts[0], b"\n", material)[:4]), "a key's id")


def signed(key, raw, message):
    """libsodium's rules: canonical encodings, no points of small order."""
    try:
        VerifyKey(key.public).verify(message, raw)
        return True
    except Exception:
        return False


def note(data, keys):
    """The text, and the keys that signed it with the times they say."""
    need(len(data) <= 16384 and b"\n\n" in data, "a note")
    data.decode()
    need(all(byte >= 32 or byte == 10 for byte in data), "no control characters")
    at = data.rindex(b"\n\n")
    text, lines = data[:at + 1], data[at + 2:]
    need(lines.endswith(b"\n"), "signatures")
    lines = lines[:-1].split(b"\n")
    need(len(lines) <= 32, "at most 32 signatures")
    first = {}
    for line in lines:
        match = re.fullmatch(rb"\xe2\x80\x94 ([^ ]+) (.*)", line)
        need(match and plain_name(match[1].decode()), "a signature line")
        raw = unbase64(match[2])
        need(len(raw) > 4, "a signature")
        first.setdefault((match[1].decode(), raw[:4]), raw[4:])
    signers = []
    for key in keys:
        raw = first.get((key.name, key.id))
        if raw is None or key.kind not in (1, 4):
            continue
        if key.kind == 1:
            need(len(raw) == 64 and signed(key, raw, text), "the signature of " + key.name)
        else:
            time = int.from_bytes(raw[:8], "big")
            need(len(raw) == 72 and time < 1 << 63 and signed(key, raw[8:], b"cosignature/v1\ntime %d\n" % time + text),
                 "the cosignature of " + key.name)
        signers.append(key)
    return text, signers


class Head:
    def __init__(self, data, keys, quorum):
        text, signers = note(data, keys)
        lines = text[:-1].split(b"\n")
        need(len(lines) >= 3 and all(lines), "the lines of a head")
        self.origin, self.size, self.root = lines[0], number(lines[1]), a_hash(lines[2])
        own = {key.public for key in keys if key.kind == 1 and key.name.encode() == self.origin}
        need(any(key.kind == 1 and key.public in own and key.name.encode() == self.origin for key in signers), "a log's key that is trusted")
        need(len({key.public for key in signers if key.kind == 4} - own) >= quorum, "the quorum of witnesses")


def inclusion(index, size, leaf, proof):
    """The root that leaf and proof lead to (RFC 6962, 2.1.1, from the root down)."""
    if size == 1:
        need(not proof, "a proof without hashes")
        return leaf
    need(proof, "more hashes")
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        return sha(b"\1", inclusion(index, half, leaf, proof[:-1]), proof[-1])
    return sha(b"\1", proof[-1], inclusion(index - half, size - half, leaf, proof[:-1]))


def consistency(old, size, proof, old_root, is_whole=True):
    """The roots of the old tree and the new one that the proof leads to (RFC 6962, 2.1.2)."""
    if old == size:
        need(len(proof) == (0 if is_whole else 1), "as many hashes as there are")
        return (old_root, old_root) if is_whole else (proof[0], proof[0])
    need(proof, "more hashes")
    half = 1 << (size - 1).bit_length() - 1
    if old <= half:
        left_old, left = consistency(old, half, proof[:-1], old_root, is_whole)
        return left_old, sha(b"\1", left, proof[-1])
    right_old, right = consistency(old - half, size - half, proof[:-1], old_root, False)
    return sha(b"\1", proof[-1], right_old), sha(b"\1", proof[-1], right)


def root_of(stack):
    """Join from the right; a stack of (level, hash) of whole subtrees."""
    root = stack[-1][1] if stack else sha(b"")
    for _, left in reversed(stack[:-1]):
        root = sha(b"\1", left, root)
    return root


def push(stack, level, value):
    while stack and stack[-1][0] == level:
        level, value = level + 1, sha(b"\1", stack.pop()[1], value)
    stack.append((level, value))


def check_proof(body, head, _heads):
    lines = body.split(b"\n")
    need(len(lines) >= 3 and lines[1].startswith(b"extra ") and lines[2].startswith(b"index "), "extra and index")
    entry, index, hashes = unbase64(lines[1][6:]), number(lines[2][6:]), [a_hash(line) for line in lines[3:]]
    need(len(entry) < 65536 and len(hashes) < 64 and index < head.size, "limits")
    need(inclusion(index, head.size, sha(b"\0", entry), hashes) == head.root, f"entry {index}")


def check_consistency(body, head, heads):
    lines = body.split(b"\n")
    old, hashes = number(lines[0][4:]), [a_hash(line) for line in lines[1:]]
    roots = [h.root for h in heads if h.origin == head.origin and h.size == old]
    need(roots and len(hashes) < 64 and old <= head.size, "the older head")
    if old == 0:
        need(not hashes and roots[0] == sha(b""), "nothing before")
    else:
        need(consistency(old, head.size, hashes, roots[0]) == (roots[0], head.root), "consistency")


def check_bundle(body, head, _heads):
    stack, position = [], 0
    lines = body.split(b"\n")[1:]
    if lines and lines[0].startswith(b"filter "):
        text = lines.pop(0).decode()
        need(all(c >= " " for c in text), "a plain filter")
    for line in lines:
        word, first, rest = (line.split(b" ", 2) + [b"", b""])[:3]
        if word == b"entry":
            value, _, entry = rest.partition(b" ")
            need(b" " in rest and number(first) == position and len(entry) < 65536, f"entry {position}")
            need(sha(b"\0", entry) == a_hash(value), f"entry {position}")
            level = 0
        else:
            need(word == b"node", "entry or node")
            level, value = number(first), rest
            need(level <= 62 and position % (1 << level) == 0, "a node's place")
        push(stack, level, a_hash(value))
        position += 1 << level
        need(position < 1 << 63, "a size")
    need(position == head.size and root_of(stack) == head.root, "the head's root")


def documents(data):
    """(kind, body, head) of each, in order."""
    need(data, "something in the file")
    while data:
        kind = next((k for s, k in ((b"c2sp.org/tlog-proof@v1\n", check_proof), (b"entente-bundle@v1\n", check_bundle),
                                    (b"old ", check_consistency)) if data.startswith(s)), None)
        body = b""
        if kind:
            body, _, data = data.partition(b"\n\n")
        text, blank, rest = data.partition(b"\n\n")
        lines = re.match(rb"(?:\xe2\x80\x94 [^\n]*\n)*", rest)[0]
        data = rest[len(lines):] if lines and not rest[len(lines):].startswith(b"\xe2\x80\x94 ") else b""
        yield kind, body, text + blank + (rest[:len(rest) - len(data)])


def check_file(path, keys, quorum, heads):
    for kind, body, head in documents(path.read_bytes()):
        head = Head(head, keys, quorum)
        if kind:
            kind(body, head, heads)


def tile(folder, level, index, width):
    name = "/".join(re.findall("...", f"{index:0{(len(str(index)) + 2) // 3 * 3}d}"))
    path = folder / "tile" / str(level) / re.sub(r"(\d{3})/", r"x\1/", name)
    return pathlib.Path(f"{path}.p/{width}" if width < 256 else path).read_bytes()


def check_folder(folder, keys, quorum, heads):
    head = Head((folder / "checkpoint").read_bytes(), keys, quorum)
    leaves = []
    for first in range(0, head.size, 256):
        width, data, at = min(256, head.size - first), tile(folder, "entries", first // 256, min(256, head.size - first)), 0
        for _ in range(width):
            length = int.from_bytes(data[at:at + 2], "big")
            need(len(data) >= at + 2 + length, "a whole entry")
            leaves.append(sha(b"\0", data[at + 2:at + 2 + length]))
            at += 2 + length
        need(at == len(data), "nothing behind the entries")
    for old in [h for h in heads if h.origin == head.origin] + [head]:
        need(old.size <= head.size, "all entries of an older head")
        stack = []
        for leaf in leaves[:old.size]:
            push(stack, 0, leaf)
        need(root_of(stack) == old.root, f"the root of the head of {old.size} entries")
    hashes, level = leaves, 0
    while hashes:
        for first in range(0, len(hashes), 256):
            part = hashes[first:first + 256]
            need(tile(folder, level, first // 256, len(part)) == b"".join(part), f"tile {first // 256} of level {level}")
        whole, hashes, level = hashes, [], level + 1
        for first in range(0, len(whole) // 256 * 256, 256):
            stack = []
            for value in whole[first:first + 256]:
                push(stack, 0, value)
            hashes.append(root_of(stack))


def main():
    parser = argparse.ArgumentParser(prog="verify.py")
    for option in ("key", "witness", "keys", "since"):
        parser.add_argument("--" + option, action="append", default=[])
    parser.add_argument("--quorum", type=int)
    parser.add_argument("--batch", action="store_true")
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    lines = [line for name in args.keys for line in pathlib.Path(name).read_bytes().split(b"\n") if line and line[:1] != b"#"]
    keys = [Key(line) for line in [text.encode() for text in args.key + args.witness] + lines]
    quorum = len(args.witness) if args.quorum is None else args.quorum
    heads = [Head(pathlib.Path(name).read_bytes(), keys, 0) for name in args.since]
    worst = 0
    for path in args.paths:
        try:
            (check_folder if path.is_dir() else check_file)(path, keys, quorum, heads)
            code = 0
        except (Bad, UnicodeDecodeError, OSError) as why:
            code = worst = 5
            print(f"verify.py: {path}: does not hold: {why}", file=sys.stderr)
        if args.batch:
            print(code, path)
    return worst


if __name__ == "__main__":
    sys.exit(main())
