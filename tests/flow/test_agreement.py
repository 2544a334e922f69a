"""`entente agreement` as people and scripts call it."""
import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Node, data_folder, indicator, program
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TESTS = Path(__file__).resolve().parent.parent


def decide(path):
    done = subprocess.run([program(), "agreement", "decide", "--vectors", str(path)], capture_output=True, text=True)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def vectors(data):
    path = data / "cases" / "agreement_vectors.json"
    if not path.exists():
        pytest.skip("no decision cases here")
    return path


def test_every_case_is_decided_as_expected(vectors):
    done, answers = decide(vectors)
    cases = json.loads(vectors.read_text())["vectors"]
    assert (done.returncode, done.stderr) == (0, "")
    assert [a["id"] for a in answers] == [c["id"] for c in cases]
    for answer, case in zip(answers, cases):
        for key, value in case["expect"].items():
            if key == "reasons":
                assert set(value) <= set(answer["reasons"]), case["id"]
            elif key != "why":
                assert answer[key] == value, (case["id"], key)


@pytest.mark.parametrize("key,value", [("decision", "refuse"), ("reasons", ["NO_GRANT"]), ("removed", ["name"]),
                                       ("obligations", []), ("result_tlp", "green"), ("new_id", True),
                                       ("until", "2027-01-01T00:00:00Z"), ("other", 1)])
def test_another_answer_than_expected_is_told(vectors, tmp_path, key, value):
    cases = json.loads(vectors.read_text())
    cases["vectors"] = cases["vectors"][:1]
    cases["vectors"][0]["expect"][key] = value
    (tmp_path / "one.json").write_text(json.dumps(cases))
    done, answers = decide(tmp_path / "one.json")
    assert done.returncode == 1 and answers[0]["decision"] == "share"
    assert done.stderr == f"entente: V001: another answer than expected: {key}\n"


def test_without_expectations_the_answers_are_given(vectors, tmp_path):
    cases = json.loads(vectors.read_text())
    for case in cases["vectors"]:
        del case["expect"]
    (tmp_path / "bare.json").write_text(json.dumps(cases))
    done, answers = decide(tmp_path / "bare.json")
    assert done.returncode == 0 and len(answers) == len(cases["vectors"])


@pytest.mark.parametrize("text,code,words", [
    ("{", 1, "byte 1"), ("[]", 1, "vectors: a list of cases is missing"),
    ('{"vectors":[]}', 1, "agreements: an object of agreements is missing")])
def test_what_is_no_file_of_cases_is_told(tmp_path, text, code, words):
    (tmp_path / "bad.json").write_text(text)
    done, answers = decide(tmp_path / "bad.json")
    assert done.returncode == code and answers == [] and words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there(tmp_path):
    assert decide(tmp_path / "none.json")[0].returncode == 3
    assert subprocess.run([program(), "agreement", "decide"], capture_output=True).returncode == 2


def test_random_cases_equal_the_evaluator(seed):
    folder = data_folder()
    evaluator = folder and folder.parent / "tools" / "agreement_eval.py"
    if not evaluator or not evaluator.exists():
        pytest.skip("no evaluator here")
    done = subprocess.run([sys.executable, str(TESTS / "agreement" / "compare_oracle.py"), program(), str(evaluator),
                           "5000", str(seed.randrange(1 << 32))], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-8000:]


# ---- two nodes, their cards, an agreement ----

GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"


@pytest.fixture
def pair(tmp_path):
    nodes = []
    for name in ("tokyo", "haifa"):
        node = Node(tmp_path / name)
        node.init()
        (tmp_path / f"{name}.card").write_text(node.run("partner", "card").stdout.decode())
        nodes.append(node)
    return nodes


def introduce(pair, tmp_path):
    """Cards are exchanged and their digits compared; the ids of both."""
    a, b = pair
    said_a = a.run("partner", "add", tmp_path / "haifa.card").stdout.decode().splitlines()
    said_b = b.run("partner", "add", tmp_path / "tokyo.card").stdout.decode().splitlines()
    assert said_a[1:] == said_b[1:] and len("".join(said_a[1:]).replace(" ", "")) == 60
    a.run("partner", "confirm", said_a[0])
    b.run("partner", "confirm", said_b[0])
    return said_b[0], said_a[0]


def agree(pair, tmp_path, partner, template="bilateral"):
    """Drafted, signed, proposed, accepted, signed, and back: in force on both sides."""
    a, _ = pair
    agreement = a.run("agreement", "draft", partner, "--template", template).stdout.decode().strip()
    both_sign(pair, tmp_path, agreement)
    return agreement


def both_sign(pair, tmp_path, agreement):
    """The newest version of the first node: signed there, carried over, signed, and carried back."""
    a, b = pair
    a.run("agreement", "sign", agreement)
    a.run("agreement", "propose", agreement, "--output", tmp_path / "a.json")
    b.run("agreement", "accept", tmp_path / "a.json")
    b.run("agreement", "sign", agreement)
    b.run("agreement", "propose", agreement, "--output", tmp_path / "b.json")
    a.run("agreement", "accept", tmp_path / "b.json")


def verdict(node, ident):
    return [(row["decision"], row["reasons"]) for row in node.rows("agreement", "test", ident)]


def test_two_nodes_agree_and_each_says_what_would_leave(pair, tmp_path):
    a, b = pair
    own, partner = introduce(pair, tmp_path)
    a.take([indicator(1, object_marking_refs=[GREEN]), indicator(2, object_marking_refs=[RED])])
    first, second = indicator(1)["id"], indicator(2)["id"]
    agreement = agree(pair, tmp_path, partner)
    for node in pair:
        row, = node.rows("agreement", "list")
        assert (row["id"], row["state"], row["signed"]) == (agreement, "active", True)
        assert set(row["signatures"]) == {own, partner}
    assert verdict(a, first) == [("share", ["OK"])]
    assert verdict(a, second) == [("refuse", ["TLP_RED_NOT_NAMED"])]
    assert "TLP:RED goes only to persons" in a.run("agreement", "test", second).stdout.decode()
    assert "signed by all" in a.run("agreement", "explain", agreement).stdout.decode()
    a.run("agreement", "suspend", agreement)
    assert verdict(a, first) == [("refuse", ["AGREEMENT_SUSPENDED"])]
    a.run("agreement", "resume", agreement)
    assert verdict(a, first) == [("share", ["OK"])]
    a.run("rebuild")
    assert verdict(a, first) == [("share", ["OK"])]
    a.run("agreement", "end", agreement)
    assert verdict(a, first) == [("refuse", ["AGREEMENT_ENDED"])]
    assert a.run("agreement", "resume", agreement, check=False).returncode == 4


def signed_card(card, key):
    """The card as that key signs it (docs/FORMATS.md)."""
    body = {name: value for name, value in card.items() if name != "signatures"}
    body["key"] = base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    message = b"entente-card/1\n" + hashlib.sha256(text).digest()
    return {**body, "signatures": [base64.b64encode(key.sign(message)).decode()]}


def test_a_card_with_another_key_takes_nobodys_place(pair, tmp_path):
    a, _ = pair
    introduce(pair, tmp_path)
    kept = a.rows("partner", "list")
    assert kept[0]["confirmed"]
    card = json.loads((tmp_path / "haifa.card").read_text())
    (tmp_path / "forged.card").write_text(json.dumps(signed_card(card, Ed25519PrivateKey.generate())))
    done = a.run("partner", "add", tmp_path / "forged.card", check=False)
    assert done.returncode != 0 and "is kept with another key" in done.stderr.decode()
    assert a.rows("partner", "list") == kept
    a.run("partner", "add", tmp_path / "haifa.card")  # the same key again: still the one that was compared
    assert a.rows("partner", "list") == kept
    a.run("rebuild")
    assert a.rows("partner", "list") == kept
    a.run("partner", "remove", kept[0]["id"])
    a.run("partner", "add", tmp_path / "forged.card")
    assert not a.rows("partner", "list")[0]["confirmed"]


def test_nothing_goes_while_a_signature_is_missing_or_a_key_not_compared(pair, tmp_path):
    a, _ = pair
    own, partner = introduce(pair, tmp_path)
    a.take([indicator(1, object_marking_refs=[GREEN])])
    ident = indicator(1)["id"]
    agreement = a.run("agreement", "draft", partner).stdout.decode().strip()
    a.run("agreement", "sign", agreement)
    assert verdict(a, ident) == [("refuse", ["AGREEMENT_UNSIGNED"])]
    a.run("agreement", "end", agreement)
    agreed = agree(pair, tmp_path, partner)
    assert ("share", ["OK"]) in verdict(a, ident)
    a.run("partner", "remove", partner)
    assert ("share", ["OK"]) not in verdict(a, ident)
    a.run("partner", "add", tmp_path / "haifa.card")  # not confirmed
    assert ("share", ["OK"]) not in verdict(a, ident)
    assert agreed


def test_what_is_signed_changes_by_a_new_version_alone(pair, tmp_path):
    a, _ = pair
    own, partner = introduce(pair, tmp_path)
    a.take([indicator(1, object_marking_refs=[GREEN])])
    ident = indicator(1)["id"]
    agreement = agree(pair, tmp_path, partner)
    text = json.loads(a.run("agreement", "show", agreement).stdout)
    del text["signatures"]
    text["grants"][0]["tlp"]["max"] = "clear"
    (tmp_path / "next.json").write_text(json.dumps(text))
    done = a.run("agreement", "edit", agreement, tmp_path / "next.json", check=False)
    assert done.returncode == 1 and "a change is version 2 or higher" in done.stderr.decode()
    text["version"] = 2
    (tmp_path / "next.json").write_text(json.dumps(text))
    a.run("agreement", "edit", agreement, tmp_path / "next.json")
    assert verdict(a, ident) == [("share", ["OK"])]  # version 1 is in force until all have signed
    assert a.rows("agreement", "list")[0]["version"] == 2


def test_an_altered_proposal_or_card_is_refused(pair, tmp_path):
    a, b = pair
    own, partner = introduce(pair, tmp_path)
    agreement = a.run("agreement", "draft", partner).stdout.decode().strip()
    a.run("agreement", "sign", agreement)
    text = json.loads(a.run("agreement", "show", agreement).stdout)
    text["grants"][0]["tlp"]["max"] = "red"
    (tmp_path / "bad.json").write_text(json.dumps(text))
    done = b.run("agreement", "accept", tmp_path / "bad.json", check=False)
    assert done.returncode == 5 and done.stderr.decode().endswith("signatures[0]: does not sign this text\n")
    card = json.loads((tmp_path / "tokyo.card").read_text())
    card["name"] = "someone else"
    (tmp_path / "bad.card").write_text(json.dumps(card))
    assert b.run("partner", "add", tmp_path / "bad.card", check=False).returncode == 5
    assert b.run("agreement", "sign", "agreement--none", check=False).returncode == 3
