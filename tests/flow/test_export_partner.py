"""Files for defences of what a partner gave: used as its giver permits, whoever made it."""
import json

from conftest import indicator
from test_sync import GREEN, both_now, nodes, pair  # noqa: F401


def test_what_a_partner_gave_is_used_as_it_permits(pair):  # noqa: F811
    """The bilateral template permits what others see, but no direct actions, and takes no PAP for amber."""
    tokyo, telaviv = pair
    telaviv.take([indicator(0, object_marking_refs=[GREEN])])
    telaviv.run("release", indicator(0)["id"])
    both_now(telaviv, tokyo)
    tokyo.take([indicator(1, object_marking_refs=[GREEN])])
    for name, wanted in (("csv", 2), ("zeek", 2), ("sentinel", 2), ("nft", 1), ("list", 1)):
        report = json.loads(tokyo.run("export", "--to", name, "--json").err)
        assert report["indicators"] == wanted, (name, report)
        assert report["left_out"] == ({} if wanted == 2 else {"not-permitted": 1})
    assert "198.51.0.0" not in tokyo.run("export", "--to", "nft").out
