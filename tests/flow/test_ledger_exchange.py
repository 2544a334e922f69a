"""What happened under an agreement, as an auditor takes it away: both sides' entries and receipts."""
import json

from conftest import indicator
from test_agreement import GREEN
from test_sync import nodes, pair  # noqa: F401


def test_a_bundle_of_an_agreement_holds_all_of_it_on_both_sides(pair, tmp_path):  # noqa: F811
    tokyo, telaviv = pair
    telaviv.take([indicator(i, object_marking_refs=[GREEN]) for i in range(3)])
    telaviv.run("collection", "add", "--title", "has nothing to do with it")
    telaviv.run("release", indicator(0)["id"], indicator(1)["id"])
    telaviv.start()
    assert tokyo.rows("sync", "now")[0]["objects"] == 2
    telaviv.run("agreement", "suspend", telaviv.agreement, "--reason", "a leak is looked into")
    kinds = {}
    for node, its in ((tokyo, telaviv), (telaviv, tokyo)):
        rows = node.rows("audit", "--agreement", tokyo.agreement)
        kinds[node] = [row["kind"] for row in rows]
        assert node.run("ledger", "bundle", "--agreement", tokyo.agreement, "--output", tmp_path / "all").returncode == 0
        done = node.run("ledger", "verify", "--list", tmp_path / "all")
        assert done.returncode == 0 and all(str(row["entry"]) in done.out for row in rows)
        assert "has nothing to do with it" not in done.out
        ours, = [row["data"]["receipt"] for row in rows if row["kind"] in ("sync.received", "sync.receipt")]
        assert json.dumps(ours["root"]) in done.out
        assert [row["entry"] for row in node.rows("audit", "--partner", its.id, "--kind", "partner.add")]
        begin, end = rows[1]["entry"], rows[-2]["entry"]
        part = node.rows("audit", "--agreement", tokyo.agreement, "--from", begin, "--to", end)
        assert part == rows[1:-1]
    assert {"agreement.put", "objects", "sync.received"} <= set(kinds[tokyo])
    assert {"agreement.put", "release", "sync.sent", "sync.receipt", "agreement.state"} <= set(kinds[telaviv])
    assert telaviv.rows("audit", "--agreement", "agreement--00000000-0000-4000-8000-000000000000") == []
    assert telaviv.rows("audit", "--agreement", tokyo.agreement[:-1]) == []
    words = telaviv.run("audit", "--agreement", tokyo.agreement).out
    assert "took 2 new objects in" in words and "a leak is looked into" in words
