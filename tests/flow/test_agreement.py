"""`entente agreement` as people and scripts call it."""
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import data_folder, program

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
