"""`entente release`: what would go and why, letting go, and the second person."""
import json

import pytest
from conftest import indicator
from test_agreement import GREEN, RED, agree, both_sign, introduce, pair  # noqa: F401

AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"


def in_force(pair, tmp_path, approval=None):
    a, _ = pair
    own, partner = introduce(pair, tmp_path)
    agreement = agree(pair, tmp_path, partner)
    if approval:
        text = json.loads(a.run("agreement", "show", agreement).out)
        text["version"] += 1
        del text["signatures"]
        for grant in text["grants"]:
            grant["approval"] = approval
        (tmp_path / "next.json").write_text(json.dumps(text))
        a.run("agreement", "edit", agreement, tmp_path / "next.json")
        both_sign(pair, tmp_path, agreement)
    a.take([indicator(1, object_marking_refs=[GREEN]), indicator(2, object_marking_refs=[RED]),
            indicator(3, object_marking_refs=[GREEN], description="ours alone",
                      granular_markings=[{"marking_ref": RED, "selectors": ["description"]}]),
            indicator(4, object_marking_refs=[GREEN], x_entente_embargo_until="2099-01-01T00:00:00Z")])
    return own, partner, agreement


def test_preview_says_for_each_what_would_happen_and_why(pair, tmp_path):  # noqa: F811
    a, _ = pair
    own, partner, agreement = in_force(pair, tmp_path)
    ids = [indicator(i)["id"] for i in (1, 2, 3, 4)]
    rows = a.rows("release", "preview", *ids)
    assert [(row["object"], row["decision"]) for row in rows] == list(zip(ids, ["share", "refuse", "redact", "hold"]))
    assert all((row["agreement"], row["recipient"], row["second_person"]) == (agreement, partner, False) for row in rows)
    assert rows[2]["removed"] == ["description"] and rows[2]["copy_id"] != ids[2] and all(row["why"] for row in rows)
    said = a.run("release", "preview", *ids).out
    for words in (f"{ids[0]} goes as it is to {partner}", f"{ids[1]} does not go to", "TLP:RED goes only to persons",
                  f"{ids[2]} goes redacted to", "  without description", f"{ids[3]} is held", "2099-01-01"):
        assert words in said
    assert a.rows("audit", "--kind", "release") == []
    assert a.run("release", "preview", indicator(9)["id"], check=False).returncode == 3
    assert a.run("release", "preview", check=False).returncode == 2


def test_release_is_an_entry_for_each_object_and_recipient(pair, tmp_path):  # noqa: F811
    a, _ = pair
    own, partner, agreement = in_force(pair, tmp_path)
    ids = [indicator(i)["id"] for i in (1, 2, 3, 4)]
    done = a.run("release", *ids, "--reason", "asked for by telephone")
    assert "TLP:RED goes only to persons" in done.out and "released to" in done.err
    rows = [row["data"] for row in a.rows("audit", "--kind", "release")]
    assert [row["object"] for row in rows] == [ids[0], ids[2]]
    assert all((row["agreement"], row["partner"], row["actor"], row["reason"]) ==
               (agreement, partner, "cli", "asked for by telephone") for row in rows)
    assert rows[1]["removed"] == ["description"] and rows[1]["new_id"].startswith("indicator--")
    assert [row["data"]["object"] for row in a.rows("audit", "--agreement", agreement, "--kind", "release")]
    refused = a.run("release", ids[1], check=False)
    assert refused.returncode == 4 and "nothing of it may go" in refused.err
    a.run("agreement", "suspend", agreement)
    assert a.run("release", ids[0], check=False).returncode == 4
    before = a.rows("audit", "--kind", "release")
    a.run("rebuild")
    assert a.rows("audit", "--kind", "release") == before


@pytest.fixture
def office(pair, tmp_path):  # noqa: F811
    a, _ = pair
    a.agreement = in_force(pair, tmp_path, "second-person")[2]
    for name, role in (("ana", "analyst"), ("rel", "releaser"), ("both", "analyst,releaser"), ("reader", "reader")):
        a.run("user", "add", name, "--role", role)
    return a


def test_a_second_person_approves(office):
    ident = indicator(1)["id"]
    assert "a second person approves what goes" in office.run("agreement", "explain", office.agreement).out
    assert "after a second person" in office.run("release", "preview", ident).out
    assert office.run("release", ident, check=False).returncode == 4
    assert office.run("release", ident, "--as", "reader", check=False).returncode == 4
    submission = office.run("release", ident, "--as", "ana", "--reason", "please").out.split()[-1]
    assert office.rows("audit", "--kind", "release") == []
    row, = office.rows("release", "list")
    assert (row["id"], row["state"], row["actor"], row["objects"]) == (submission, "waiting", "ana", [ident])
    for who, code in (("ana", 4), ("reader", 4), ("nobody", 3)):
        assert office.run("release", "approve", submission, "--as", who, check=False).returncode == code
    assert office.run("release", "approve", submission, check=False).returncode == 2
    assert office.run("release", "approve", "release--x", "--as", "rel", check=False).returncode == 3
    office.run("release", "approve", submission, "--as", "rel", "--reason", "checked")
    kinds = [(row["kind"], row["actor"]) for row in office.rows("audit") if row["kind"].startswith("release")]
    assert kinds == [("release.submit", "ana"), ("release.approve", "rel"), ("release", "rel")]
    story = office.rows("audit", "--agreement", office.rows("agreement", "list")[0]["id"])
    assert [row["kind"] for row in story if row["kind"].startswith("release")] == [kind for kind, _ in kinds]
    assert office.run("release", "approve", submission, "--as", "rel", check=False).returncode != 0
    office.run("rebuild")
    assert office.rows("release", "list")[0]["state"] == "approved"


def test_nobody_approves_their_own(office):
    submission = office.run("release", indicator(1)["id"], "--as", "both").out.split()[-1]
    for what in ("approve", "send-back"):
        refused = office.run("release", what, submission, "--as", "both", check=False)
        assert refused.returncode == 4 and "own" in refused.err
    office.run("release", "send-back", submission, "--as", "rel", "--reason", "too early")
    assert office.rows("release", "list")[0]["state"] == "sent back"
    assert office.run("release", "approve", submission, "--as", "rel", check=False).returncode != 0
    assert office.rows("audit", "--kind", "release") == []


def test_what_changed_since_the_submission_counts(office):
    ident = indicator(1)["id"]
    submission = office.run("release", ident, "--as", "ana").out.split()[-1]
    office.take([indicator(1, modified="2026-02-01T00:00:00.000Z", object_marking_refs=[RED])])
    office.run("release", "approve", submission, "--as", "rel", check=False)
    assert office.rows("audit", "--kind", "release") == []


def test_a_diff_names_each_member_that_changes(pair, tmp_path):  # noqa: F811
    a, _ = pair
    _, partner, agreement = in_force(pair, tmp_path)
    assert a.run("agreement", "diff", agreement, check=False).returncode == 3  # one version only
    text = json.loads(a.run("agreement", "show", agreement).out)
    (tmp_path / "same.json").write_text(json.dumps(text))
    assert a.run("agreement", "diff", agreement, tmp_path / "same.json").out == ""
    text["version"], text["grants"][0]["tlp"]["max"] = 2, "green"
    del text["grants"][0]["retention"]
    text["grants"][1]["max_age_days"] = 30
    del text["signatures"]
    (tmp_path / "next.json").write_text(json.dumps(text))
    rows = {row["path"]: (row.get("old"), row.get("new"))
            for row in a.rows("agreement", "diff", agreement, tmp_path / "next.json")}
    assert rows == {"version": (1, 2), "grants[0].tlp.max": ("amber+strict", "green"),
                    "grants[0].retention": ("P730D", None), "grants[1].max_age_days": (None, 30)}
    a.run("agreement", "edit", agreement, tmp_path / "next.json")
    assert {row["path"] for row in a.rows("agreement", "diff", agreement)} == set(rows)
    assert 'grants[0].tlp.max: "amber+strict" -> "green"' in a.run("agreement", "diff", agreement).out
    assert a.run("agreement", "diff", "agreement--x", check=False).returncode == 3


def test_partner_show_and_reasons(pair, tmp_path):  # noqa: F811
    a, _ = pair
    _, partner, agreement = in_force(pair, tmp_path)
    row, = a.rows("partner", "show", partner)
    assert row["id"] == partner and row["confirmed"] and row["agreements"] == [agreement]
    assert len(row["digits"].replace(" ", "").replace("\n", "")) == 60
    assert ", confirmed" in a.run("partner", "show", partner).out
    assert a.run("partner", "show", "identity--x", check=False).returncode == 3
    a.run("agreement", "suspend", agreement, "--reason", "a leak is looked into")
    assert a.rows("audit", "--kind", "agreement.state")[-1]["data"]["reason"] == "a leak is looked into"
    a.run("partner", "remove", partner, "--reason", "merged")
    assert a.rows("audit", "--kind", "partner.remove")[-1]["data"]["reason"] == "merged"
