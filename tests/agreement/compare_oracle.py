#!/usr/bin/env python3
"""Hold random decisions against the reference evaluator.

    compare_oracle.py ENTENTE EVALUATOR.py [COUNT] [SEED]

Makes COUNT random cases (agreements, markings, objects, stores, recipients; one in eight has
something odd or broken in it), lets both answer, and compares every key of the answers.  Where the
evaluator cannot answer at all, the only right answer is a refusal; where a case is broken, a refusal
that says so is right as well.  Prints the seed, so that a run can be repeated.  Exit 0: all equal.
"""

import copy
import importlib.util
import json
import random
import subprocess
import sys
import tempfile

CHUNK = 2500
AGREEMENTS = 120
BROKEN = {"AGREEMENT_MALFORMED", "OBJECT_MALFORMED", "MARKING_MALFORMED", "CONTEXT_MALFORMED"}

NOW = "2026-11-23T00:00:00Z"
DATES = ["2024-01-01T00:00:00Z", "2025-11-22T23:59:59.999Z", "2025-11-23T00:00:00Z", "2026-01-01T00:00:00.000Z",
         "2026-06-01T00:00:00Z", "2026-11-22T23:59:59Z", NOW, "2026-11-23T09:00:00+09:00", "2026-11-23T00:00:00.001Z",
         "2027-01-01T00:00:00.000Z", "2030-01-01T00:00:00Z"]
LEVELS = ["clear", "green", "amber", "amber+strict", "red"]
PAPS = ["clear", "white", "green", "amber", "red"]
ACTIONS = ["none", "contact-for-instruction", "internally-visible-actions", "externally-visible-indirect-actions",
           "externally-visible-direct-actions"]
CLASSES = ["self", "client", "partner", "community", "public", "vendor"]
COUNTRIES = ["JPN", "ISR", "POL", "USA"]
TLP_IDS = ["94868c89-83c2-464b-929b-a1a8aa3c8487", "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
           "55d920b0-5e8b-4f79-9ee9-91f868d9b421", "939a9414-2ddd-4d32-a0cd-375ea402b003",
           "e828b379-4e03-4974-9ac4-e53a884c97c1", "613f2e26-407d-48c7-9eca-b8e91df99dc9",
           "34098fce-860f-48ae-8e50-ebd3cc5e41da", "f88d31f6-486f-44da-b317-01333bde0b82",
           "5e57c739-391a-4eb3-b6be-7d15ca92d5ed"]
X_PAP = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"
X_IEP = "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a"
X_ACS = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
EXTENSIONS = ["extension-definition--77777777-0000-4000-8000-%012d" % n for n in range(4)]
TYPES = ["indicator", "sighting", "relationship", "report", "note", "observed-data", "malware", "identity",
         "ipv4-addr", "domain-name", "file", "campaign", "vulnerability", "grouping", "opinion", "incident",
         "threat-actor", "language-content", "tool", "x-ours"]
PEOPLE = ["identity--aaaaaaaa-0000-4000-8000-%012d" % n for n in range(6)]
OWN_TEXTS = ["labels", "description", "name", "x_case_id", "external_references", "confidence"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def some(self, items, most=None):
        return self.r.sample(items, self.r.randint(0, most or len(items)))

    def sometimes(self, share=0.5):
        return self.r.random() < share

    def pick(self, *items):
        return self.r.choice(items)

    # ---- markings ----

    def marking(self, number):
        r = self.r
        m = {"type": "marking-definition", "spec_version": "2.1", "created": DATES[3],
             "id": "marking-definition--bbbbbbbb-0000-4000-8000-%012d" % number}
        kinds = r.choice([["pap"], ["pap"], ["iep"], ["iep"], ["acs"], ["chr"], ["statement"], ["statement"],
                          ["pap", "iep"], ["acs", "iep", "pap"], ["none"]])
        ext = {}
        if "pap" in kinds:
            ext[X_PAP] = {"extension_type": "property-extension", "pap": r.choice(PAPS)}
        if "iep" in kinds:
            ext[X_IEP] = {"start_date": r.choice(DATES[:7] + DATES[:6]), "end_date": r.choice([None, None, None] + DATES[-4:] + DATES[3:5]),
                          "permitted_actions": r.choice(ACTIONS),
                          "affected_party_notifications": self.pick("may", "may", "must-not"),
                          "tlp": r.choice(["white", "clear"] + LEVELS),
                          "provider_attribution": self.pick("may", "may", "must", "must-not", "should")}
            if self.sometimes(0.1):
                del ext[X_IEP]["end_date"]
        if "acs" in kinds:
            cs = {}
            if self.sometimes(0.8):
                cs["classification"] = self.pick("U", "U", "U", "U", "S", "TS")
            if self.sometimes(0.4):
                cs["permitted_nationalities"] = self.some(COUNTRIES)
            ext[X_ACS] = {"control_set": cs}
            if self.sometimes(0.4):
                ext[X_ACS]["further_sharing"] = [{"rule_effect": self.pick("deny", "deny", "permit"),
                                                  "sharing_scope": self.some(COUNTRIES, 2)} for _ in range(r.randint(0, 2))]
            if self.sometimes(0.1):
                del ext[X_ACS]["control_set"]
        if "chr" in kinds:
            m["x_entente_chr"] = self.pick(True, True, False)
        if "statement" in kinds:
            m.update(definition_type="statement", definition={"statement": "ours"})
        if "none" in kinds:
            m.update(definition_type="x-ours", definition={"x": 1})
        if ext:
            m["extensions"] = ext
        return m

    def marking_refs(self, markings, rough=True):
        r = self.r
        refs = []
        if self.sometimes(0.85):
            refs.append("marking-definition--" + r.choice(TLP_IDS if self.sometimes(0.3) else TLP_IDS[:3] + TLP_IDS[5:7]))
        for _ in range(r.choice([0, 0, 0, 1, 1, 2])):
            refs.append(r.choice(list(markings)))
        if rough and self.sometimes(0.05):
            refs.append("marking-definition--99999999-0000-4000-8000-%012d" % r.randint(0, 9))
        if rough and self.sometimes(0.05) and refs:
            refs.append(r.choice(refs))
        r.shuffle(refs)
        return refs

    # ---- agreements ----

    def grant(self):
        r = self.r
        g = {"provider": r.choice(PEOPLE[:3]), "recipients": r.sample(PEOPLE[:4], r.choice([0, 1, 2, 2, 3, 4])),
             "tlp": {"max": r.choice(LEVELS[1:] + ["amber+strict"])}, "object_types": {}}
        if self.sometimes(0.4):
            g["recipient_classes"] = self.some(CLASSES, 4)
        if self.sometimes(0.8):
            g["tlp"]["unmarked"] = r.choice(LEVELS[:4] + ["refuse", "green", "clear"])
        if self.sometimes(0.6):
            g["tlp"]["red"] = self.pick("named-recipients", "refuse")
        if self.sometimes(0.8):
            g["pap"] = {"max": r.choice(PAPS[2:] + ["red", "red"])}
            if self.sometimes(0.7):
                g["pap"]["unmarked"] = r.choice(PAPS[:4])
        if self.sometimes(0.7):
            g["object_types"]["allow"] = self.some(TYPES) if self.sometimes(0.3) else r.sample(TYPES, r.randint(15, 20))
        if self.sometimes(0.3):
            g["object_types"]["deny"] = self.some(TYPES, 3)
        for key, share, values in [
                ("permitted_actions", 0.8, ACTIONS), ("affected_party_notifications", 0.5, ["may", "must-not"]),
                ("attribution", 0.6, ["may", "must", "must-not"]), ("encrypt_in_transit", 0.5, ["must", "may"]),
                ("encrypt_at_rest", 0.3, ["must", "may"]), ("granular", 0.6, ["redact", "redact", "refuse"]),
                ("absent_refs", 0.6, ["drop", "keep"]), ("retention", 0.6, ["P730D", "P30D", ""]),
                ("max_age_days", 0.3, [365, 30, 0, 366, 1.5]), ("share_expired", 0.3, [True, False])]:
            if self.sometimes(share):
                g[key] = r.choice(values)
        if self.sometimes(0.7):
            g["extensions"] = {}
            if self.sometimes(0.8):
                g["extensions"]["allow"] = self.some(EXTENSIONS, 2)
            if self.sometimes(0.8):
                g["extensions"]["unknown"] = self.pick("strip", "strip", "refuse")
        if self.sometimes(0.8):
            g["privilege_action"] = self.some(["NETDEF", "INTEL", "TENOT"]) + ["DSPLY"]
        if self.sometimes(0.4):
            g["lang"] = {"accept": self.some(["en", "ja", "he"])}
            if self.sometimes(0.8):
                g["lang"]["on_mismatch"] = self.pick("share", "refuse")
        if self.sometimes(0.35):
            g["redact"] = self.some(["x_case_id", "external_references", "labels", "labels.[1]", "created_by_ref", "description",
                                     "external_references.[0].url", "pattern", "x_made.inner.deep", "name"], 4)
        return g

    def agreement(self, name):
        r = self.r
        parties = r.sample(PEOPLE[:4], r.randint(1, 3))
        a = {"type": "entente-agreement", "id": "agreement--" + name, "hash": "sha256:" + name, "name": name,
             "parties": [{"id": p, "country": "JPN"} for p in parties], "signatures": list(parties),
             "start_date": r.choice(DATES[:4]), "grants": [self.grant() for _ in range(r.randint(1, 4))]}
        if self.sometimes(0.7):
            a["end_date"] = r.choice(DATES[-2:] + [None])
        if self.sometimes(0.8):
            a["state"] = "active"
        if self.sometimes(0.03):
            a["state"] = "suspended"
        if self.sometimes(0.06):
            a["signatures"] = self.some(PEOPLE[:4])
        if self.sometimes(0.1):
            r.shuffle(a["signatures"])
            a["signatures"] += a["signatures"][:1]
        if self.sometimes(0.06):
            a["start_date"] = r.choice(DATES)
        if self.sometimes(0.06):
            a["end_date"] = r.choice(DATES)
        if self.sometimes(0.3):
            a["reciprocity"] = {"on_breach": self.pick("suspend", "suspend", "warn"), "suspend_above": r.choice(LEVELS)}
        if self.sometimes(0.6):
            a["recall"] = {"ack_within": self.pick("PT24H", "PT1H")}
            if self.sometimes(0.2):
                a["recall"] = {}
        return a

    # ---- objects ----

    def uuid(self, n):
        return "00000000-0000-4000-8000-%012d" % n

    def target(self, kind=None):
        kind = kind or self.r.choice(TYPES)
        if self.sometimes(0.05):
            kind = "marking-definition"
        return "%s--%s" % (kind, self.uuid(self.r.randint(0, 5)))

    def plain(self, kind, ident, markings):
        o = {"type": kind, "spec_version": "2.1", "id": ident}
        if kind not in ("ipv4-addr", "domain-name", "file"):
            o.update(created=DATES[3], modified=self.r.choice(DATES[:6]))
        refs = self.marking_refs(markings)
        if refs or self.sometimes():
            o["object_marking_refs"] = refs
        return o

    def thing(self, markings):
        r = self.r
        kind = r.choice(TYPES)
        o = self.plain(kind, "%s--%s" % (kind, self.uuid(r.randint(0, 3))), markings)
        if self.sometimes(0.8):
            o["created_by_ref"] = r.choice(PEOPLE)
        if kind == "indicator":
            o.update(pattern="[ipv4-addr:value = '198.51.100.3']", pattern_type="stix", valid_from=DATES[3])
        if kind == "sighting":
            o["sighting_of_ref"] = self.target("indicator")
            if self.sometimes():
                o["where_sighted_refs"] = [self.target("identity") for _ in range(r.randint(0, 3))]
        if kind == "relationship":
            o.update(relationship_type="uses", source_ref=self.target(), target_ref=self.target())
        if kind in ("report", "note", "observed-data", "grouping", "opinion") and self.sometimes(0.95):
            o["object_refs"] = [self.target() for _ in range(r.choice([0, 1, 1, 2, 3, 4]))]
        if kind == "language-content":
            o.update(object_ref=self.target(), contents={"he": {"name": "x"}})
        if self.sometimes(0.15):
            o["x_related_ref"] = self.target()
        if self.sometimes(0.1):
            o["x_more_refs"] = [self.target() for _ in range(r.randint(0, 3))]
        for key, share, value in [
                ("name", 0.7, "a name"), ("description", 0.5, "words"), ("labels", 0.5, ["a", "b", "c"][:r.randint(0, 3)]),
                ("x_case_id", 0.2, "JP-1"), ("confidence", 0.3, 50),
                ("external_references", 0.3, r.choice([[], [{"source_name": "s", "url": "https://example.com"}]])),
                ("x_made", 0.1, {"inner": {"deep": [1, {"k": None}]}}),
                ("valid_until", 0.15, r.choice(DATES)), ("x_entente_embargo_until", 0.08, r.choice(DATES)),
                ("lang", 0.2, r.choice(["en", "ja", "de"])), ("revoked", 0.1, self.pick(True, False)),
                ("x_entente_named_recipients", 0.2, self.some(["p1@il", "p2@il"])),
                ("extensions", 0.12, {e: {"extension_type": "property-extension"} for e in self.some(EXTENSIONS, 2)})]:
            if self.sometimes(share):
                o[key] = value
        if self.sometimes(0.25):
            o["granular_markings"] = [self.granular(o, markings) for _ in range(r.randint(1, 3))]
        keys = list(o)
        if self.sometimes(0.2):
            r.shuffle(keys)
        return {k: o[k] for k in keys}

    def granular(self, o, markings):
        r = self.r
        there = [k for k in OWN_TEXTS if k in o] or ["type"]
        paths = list(there) + ["pattern", "id"] * (self.sometimes(0.1) and "pattern" in o)
        if o.get("labels"):
            paths += ["labels.[%d]" % i for i in range(len(o["labels"]))]
        if o.get("external_references"):
            paths += ["external_references.[0].url", "external_references.[0]"]
        if "x_made" in o:
            paths += ["x_made.inner.deep.[1].k", "x_made.inner"]
        if self.sometimes(0.06):
            paths = ["labels.[7]", "absent", "name.[0]", "labels.a", "x_made.inner.none"]
        g = {"selectors": r.sample(paths, r.randint(1, min(3, len(paths))))}
        refs = self.marking_refs(markings) or ["marking-definition--" + TLP_IDS[1]]
        g["marking_ref"] = refs[0] if self.sometimes(0.6) else "marking-definition--" + r.choice(TLP_IDS)
        if self.sometimes(0.1):
            g["lang"] = "ja"
            if self.sometimes():
                del g["marking_ref"]
        return g

    def context(self, o, recipient, markings):
        r = self.r
        c = {}
        if self.sometimes(0.5):
            c["store"] = [self.plain(*(lambda t: (t.split("--")[0], t))(self.target()), markings) for _ in range(r.randint(0, 8))]
            refs = [x for k, v in o.items() if k.endswith(("_ref", "_refs")) for x in (v if isinstance(v, list) else [v])]
            c["store"] += [self.plain(x.split("--")[0], x, markings) for x in refs if self.sometimes(0.7)]
            for s in c["store"]:
                if self.sometimes(0.1):
                    s["x_hop"] = r.randint(0, 2)
                if self.sometimes(0.1):
                    s["x_entente_embargo_until"] = r.choice(DATES)
                if self.sometimes(0.1):
                    s["x_entente_named_recipients"] = ["p1@il"]
        for key, share, values in [
                ("recipient_class", 0.5, CLASSES), ("hop", 0.5, [0, 1, 1, 2]), ("recipient_person", 0.3, ["p1@il", "p3@il"]),
                ("originator", 0.6, PEOPLE[:3]), ("encrypted_transport", 0.15, [True, False]),
                ("recipient_attests_at_rest", 0.15, [True, False]), ("reciprocity_breached", 0.2, [True, True, False]),
                ("recipient_has", 0.3, [True, False]), ("requested_purpose", 0.2, ["DSPLY", "DSPLY", "INTEL", ""]),
                ("upstream_further_sharing", 0.25, [{"permit": ["self", "client"]}, {"permit": CLASSES}, {"permit": []}, {}]),
                ("now", 0.05, DATES)]:
            if self.sometimes(share):
                c[key] = r.choice(values)
        if self.sometimes(0.3):
            c["waiver"] = {"object": o["id"], "modified": o.get("modified"), "recipients": [recipient],
                           "signed_by": c.get("originator", PEOPLE[0]), "expires": r.choice(DATES[-2:] + DATES[-2:] + DATES)}
            if self.sometimes(0.25):
                c["waiver"][r.choice(["object", "modified", "signed_by"])] = PEOPLE[5]
            if self.sometimes(0.1):
                c["waiver"]["recipients"] = []
        if self.sometimes(0.05):
            m = self.marking(r.randint(0, 14))
            c["markings"] = {m["id"]: m}
        return c

    def case(self, number, agreements, markings):
        r = self.r
        name = r.choice(list(agreements))
        a = agreements[name]
        v = {"id": "R%06d" % number, "agreement": name, "object": self.thing(markings)}
        g = r.choice(a["grants"])
        v["provider"] = g["provider"] if self.sometimes(0.93) else r.choice(PEOPLE)
        v["recipient"] = r.choice(g["recipients"]) if g["recipients"] and self.sometimes(0.9) else r.choice(PEOPLE)
        v["context"] = self.context(v["object"], v["recipient"], markings)
        if self.sometimes(0.05):
            v["context"]["peer_agreement_hash"] = self.pick(a["hash"], "sha256:other", "")
        if self.sometimes(0.12):
            v = copy.deepcopy(v)  # lists may be shared
            v["odd"] = True
            self.make_odd(v)
        return v

    ODD = [None, True, False, 0, 1, -1, 1.5, "", "x", "[0]", [], ["x"], [1], [None], {}, {"x": "y"}, "2026-13-01T00:00:00Z", "2026-01-01",
           "marking-definition--", "\u05d0\u3042", "a\"b\\c\n"]

    def make_odd(self, v):
        """Put something odd at a random place of the object or the context."""
        places = []
        todo = [v["object"], v["context"]]
        while todo:
            at = todo.pop()
            for key in (at if isinstance(at, dict) else range(len(at))):
                places.append((at, key))
                if isinstance(at[key], (dict, list)):
                    todo.append(at[key])
        at, key = self.r.choice(places)
        if self.sometimes(0.3) and isinstance(at, dict):
            del at[key]
        else:
            at[key] = self.r.choice(self.ODD)


def make_file(maker, first, count):
    markings = {m["id"]: m for m in (maker.marking(n) for n in range(24))}
    agreements = {"G%d" % n: maker.agreement("G%d" % n) for n in range(AGREEMENTS)}
    return {"format": "entente-agreement-vectors/1", "now": NOW, "markings": markings, "agreements": agreements,
            "identities": {p: {"country3": COUNTRIES[n]} for n, p in enumerate(PEOPLE[:4])},
            "vectors": [maker.case(first + n, agreements, markings) for n in range(count)]}


def oracle(evaluator, case, base):
    """Its answer, or None where it has none."""
    try:
        return evaluator.evaluate(copy.deepcopy(case), base)
    except Exception:  # whatever it stumbles over, it has no answer
        return None


def is_right(case, want, got):
    broken = got["decision"] == "refuse" and got["reasons"][-1] in BROKEN
    if want is None:
        return got["decision"] == "refuse"
    want = dict(want)
    return {k: v for k, v in got.items() if k != "id"} == want or (case.get("odd", False) and broken)


def run(entente, evaluator, maker, first, count, tally):
    base = make_file(maker, first, count)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(base, file)
        file.flush()
        done = subprocess.run([entente, "agreement", "decide", "--vectors", file.name], capture_output=True, text=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0 or len(answers) != count:
        print("the program: exit %d, %d answers to %d cases: %s" % (done.returncode, len(answers), count, done.stderr[:400]))
        return count
    wrong = 0
    for case, got in zip(base["vectors"], answers):
        want = oracle(evaluator, case, base)
        key = want["decision"] if want else "none"
        tally[key] = tally.get(key, 0) + 1
        for reason in (want or {}).get("reasons", []):
            tally[reason] = tally.get(reason, 0) + 1
        if not is_right(case, want, got):
            wrong += 1
            if wrong <= 3:
                print("DIFFERS", json.dumps(case))
                print("  agreement", json.dumps(base["agreements"][case["agreement"]]))
                print("  evaluator", json.dumps(want))
                print("  program  ", json.dumps(got))
    return wrong


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    entente, path = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100000
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.SystemRandom().randrange(1 << 32)
    spec = importlib.util.spec_from_file_location("agreement_eval", path)
    evaluator = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(evaluator)
    print("seed", seed)
    maker, wrong, tally = Maker(seed), 0, {}
    for first in range(0, count, CHUNK):
        wrong += run(entente, evaluator, maker, first, min(CHUNK, count - first), tally)
    print(json.dumps(dict(sorted(tally.items()))))
    print("%d cases, %d differ" % (count, wrong))
    sys.exit(1 if wrong or count == 0 else 0)


if __name__ == "__main__":
    main()
