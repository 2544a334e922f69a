"""Nodes and servers as the flow tests have them, for clients that others wrote."""
import importlib.util
import os
import pathlib

import pytest

FLOW = pathlib.Path(__file__).resolve().parents[1] / "flow" / "conftest.py"
spec = importlib.util.spec_from_file_location("flow", FLOW)
flow = importlib.util.module_from_spec(spec)
spec.loader.exec_module(flow)

# requests believes these before what a client is told to believe.
for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
    os.environ.pop(name, None)

node, data = flow.node, flow.data
PASSWORD = "correct horse battery"


@pytest.fixture
def served(node):
    """A node over TLS: `analyst` may read and write `open` and write `drop`, `reader` may read `open`."""
    node.user("analyst", PASSWORD)
    node.user("reader", PASSWORD, "reader")
    node.open = node.collection("Open", alias="open")
    node.drop = node.collection("Drop box", alias="drop")
    node.run("collection", "grant", "open", "analyst", "--read", "--write")
    node.run("collection", "grant", "drop", "analyst", "--write")
    node.run("collection", "grant", "open", "reader", "--read")
    node.certificate = str(node.folder / "tls" / "certificate.pem")
    return node.serve()


@pytest.fixture
def as_analyst(served):
    """What every taxii2-client class takes."""
    return {"user": "analyst", "password": PASSWORD, "verify": served.certificate}
