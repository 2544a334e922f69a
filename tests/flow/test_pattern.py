"""`entente pattern` as people and scripts call it: no node anywhere near."""
import json
import subprocess

import pytest
from conftest import data_folder, program

ALICE = {"type": "observed-data", "first_observed": "2024-01-01T00:00:00Z", "last_observed": "2024-01-01T00:00:00Z",
         "number_observed": 1, "objects": {"0": {"type": "person", "name": "alice", "age": 10}}}


def pattern(*arguments, **more):
    return subprocess.run([program(), "pattern", *map(str, arguments)], capture_output=True, text=True, **more)


def indicator(number, text, **more):
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{number:08d}-0000-4000-8000-000000000000",
            "name": f"indicator {number}", "pattern": text, "pattern_type": "stix", **more}


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps([ALICE]))
    return path


def test_check_says_valid_or_where_it_is_not():
    done = pattern("check", "[person:name = 'alice']")
    assert (done.returncode, done.stdout, done.stderr) == (0, "valid\n", "")
    done = pattern("check", "[person:name = 'alice' AND\n person:age > ]")
    assert done.returncode == 1
    first, line, caret = done.stdout.splitlines()
    assert first == 'invalid: line 2, column 15: expected a value, found "]"'
    assert line[caret.index("^")] == "]"


def test_check_reads_files_and_standard_input(tmp_path):
    path = tmp_path / "pattern"
    path.write_text("[a:b = 1]\n")
    assert pattern("check", "--file", path).stdout == "valid\n"
    assert pattern("check", "-", input="[a:b = 1]\r\n").stdout == "valid\n"
    assert pattern("check", "--file", tmp_path / "nothing").returncode == 3


def test_check_as_json():
    row = json.loads(pattern("check", "--json", "[a:b MATCHES '(']").stdout)
    assert row["valid"] is False and (row["line"], row["column"]) == (1, 2)
    row = json.loads(pattern("check", "--json", "[a:b = 1 AND c:d = t'2024-02-30T00:00:00Z']").stdout)
    assert row["valid"] is True and [warning["rule"] for warning in row["warnings"]] == ["types", "impossible"]


def test_editions_differ():
    text = "[a:b = 1] START '2024-01-01T00:00:00Z' STOP '2024-01-02T00:00:00Z'"
    assert pattern("check", text).returncode == 1
    assert pattern("check", text, "--spec", "2.0").returncode == 0
    assert pattern("check", text, "--spec", "3").returncode == 2


def test_explain_tells_the_tree_and_the_values():
    done = pattern("explain", "[file:hashes.sha256 = 'AB'] FOLLOWEDBY [url:value LIKE 'http:%']")
    assert done.returncode == 0 and "order of time" in done.stdout and "file:hashes.'SHA-256'  ab" in done.stdout
    row = json.loads(pattern("explain", "--json", "[a:b = 1 OR a:c > 2]").stdout)
    assert [node["kind"] for node in row["nodes"]] == ["comparison", "comparison", "or", "observation"]
    assert row["values"] == [{"kind": "a:b", "value": "1"}]


@pytest.mark.parametrize("text, code, out", [
    ("[person:name = 'alice']", 0, "match\n"),
    ("[person:name = 'bob']", 1, "nomatch\n"),
    ("[person:name 'bob']", 2, ""),
])
def test_test_answers_as_grep_does(data, text, code, out):
    done = pattern("test", text, data)
    assert (done.returncode, done.stdout) == (code, out)


def test_test_refuses_what_is_no_data(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text('{"type": "bundle"')
    done = pattern("test", "[a:b = 1]", path)
    assert done.returncode == 2 and done.stdout == "" and "broken.json" in done.stderr


def test_every_indicator_of_a_bundle_is_held_against_the_data(data, tmp_path):
    bundle = tmp_path / "indicators.json"
    bundle.write_text(json.dumps({"type": "bundle", "id": "bundle--1", "objects": [
        indicator(1, "[person:name = 'alice']"), indicator(2, "[person:name = 'bob']"),
        indicator(3, "[person:age < 20 AND person:name LIKE 'a%']"), indicator(4, "[person:name = 'alice'"),
        indicator(5, "[person:name = 'alice']", revoked=True), indicator(6, "alice", pattern_type="yara"),
        {"type": "identity", "name": "alice"}]}))
    done = pattern("test", "--indicators", bundle, data)
    assert done.returncode == 0
    assert [line.split("\t")[1] for line in done.stdout.splitlines()] == ["indicator 1", "indicator 3"]
    assert "2 of 3 indicators" in done.stderr and "3 were not run" in done.stderr and 'closing "]"' in done.stderr
    bundle.write_text(json.dumps([indicator(2, "[person:name = 'bob']")]))
    done = pattern("test", "--json", "--indicators", bundle, data)
    assert (done.returncode, done.stdout) == (1, "")


def test_cases_are_answered_line_by_line(tmp_path):
    cases = tmp_path / "cases.jsonl"
    cases.write_text("\n".join(json.dumps(row) for row in [
        {"id": "a", "pattern": "[person:age = 10]", "observations": [ALICE]},
        {"id": "b", "pattern": "[person:age = 11]", "observations": [ALICE]},
        {"id": "c", "pattern": "[person:age = t'2024-02-30T00:00:00Z']", "observations": [ALICE]},
        {"id": "d", "pattern": "[person:age = t'2024-02-30T00:00:00Z']"},
        {"id": "e", "pattern": "[person:age = ]"},
    ]))
    done = pattern("test", "--cases", cases)
    assert done.returncode == 0
    assert done.stdout == "a\tmatch\nb\tnomatch\nc\tinvalid\nd\tvalid\ne\tinvalid\n"


@pytest.mark.skipif(data_folder() is None, reason="no reference cases here")
def test_the_reference_cases_have_their_answers():
    path = data_folder() / "cases" / "pattern_cases.jsonl"
    answers = dict(line.split("\t") for line in pattern("test", "--cases", path).stdout.splitlines())
    for line in path.read_text().splitlines():
        row = json.loads(line)
        wanted = "invalid" if not row["valid"] else "match" if row["match"] else "nomatch"
        assert row["status"] == "ambiguous" or answers[row["id"]] == wanted, row["id"]
