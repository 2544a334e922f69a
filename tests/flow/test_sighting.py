"""What a node says of indicators: false positives, and the list of what was seen."""
import json

from conftest import indicator


def test_a_false_positive_is_an_opinion_and_a_sighting_of_none(node):
    red = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
    one = indicator(1, object_marking_refs=[red])
    node.take([one])
    assert node.rows("sighting", "list") == []
    done = node.run("sighting", "false", one["id"], "--comment", "our own scanner")
    assert done.err == f'{one["id"]}: marked as false\n'
    row, = node.rows("sighting", "list")
    sighting = row["object"]
    assert (row["count"], row["indicator"], row["name"]) == (0, one["id"], "indicator 1")
    assert sighting["object_marking_refs"] == [red] and "last_seen" not in sighting
    opinion, = node.rows("search", "--type", "opinion")
    opinion = json.loads(node.run("show", opinion["id"], "--raw").out)
    assert opinion["opinion"] == "strongly-disagree" and opinion["object_refs"] == [one["id"]]
    assert opinion["explanation"] == "our own scanner" and opinion["object_marking_refs"] == [red]
    identity, = node.rows("search", "--type", "identity")
    assert identity["id"] == json.loads(node.run("partner", "card").out)["id"]
    assert sighting["where_sighted_refs"] == [identity["id"]] and sighting["created_by_ref"] == identity["id"]
    # Said again, there is a new version, and no second object.
    node.run("sighting", "false", one["id"])
    again, = node.rows("sighting", "list")
    assert again["id"] == row["id"] and again["object"]["modified"] > sighting["modified"]
    assert again["object"]["created"] == sighting["created"]
    assert "false positive" in node.run("sighting", "list").out


def test_what_is_not_there_cannot_be_false(node):
    missing = "indicator--00000009-0000-4000-8000-000000000009"
    done = node.run("sighting", "false", missing, check=False)
    assert (done.returncode, done.err) == (3, f"entente: {missing}: the node holds no such indicator\n")
    done = node.run("sighting", "false", "malware--00000009-0000-4000-8000-000000000009", check=False)
    assert done.returncode == 1 and 'is no indicator\'s id' in done.err
    assert node.run("sighting", "list", "--since", "yesterday", check=False).returncode == 2
