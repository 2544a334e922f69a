/* Decisions a second on one core, for the common case: an indicator marked TLP:GREEN that is shared
 * with a partner under an agreement of one grant.  The object is parsed once: parsing is measured
 * by bench_json. */
#include <inttypes.h>
#include <stdio.h>

#include "agreement/decide.h"
#include "base/time.h"

#define ROUNDS 9
#define DECISIONS 1000000
#define FROM "identity--aaaaaaaa-0000-4000-8000-0000000000a1"
#define TO "identity--aaaaaaaa-0000-4000-8000-0000000000a2"

static const char agreement_text[] =
    "{\"id\":\"agreement--x\",\"start_date\":\"2025-01-01T00:00:00Z\",\"parties\":[{\"id\":\"" FROM
    "\"},{\"id\":\"" TO "\"}],\"grants\":[{\"provider\":\"" FROM "\",\"recipients\":[\"" TO
    "\"],\"tlp\":{\"max\":\"amber+strict\",\"unmarked\":\"refuse\"},\"pap\":{\"max\":\"amber\","
    "\"unmarked\":\"amber\"},\"object_types\":{\"allow\":[\"sighting\",\"indicator\",\"malware\"]},"
    "\"encrypt_in_transit\":\"must\",\"granular\":\"redact\",\"retention\":\"P730D\"}]}";
static const char object_text[] =
    "{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":\"indicator--00000000-0000-4000-8000-"
    "000000000001\",\"created\":\"2026-09-01T00:00:00.000Z\",\"modified\":\"2026-09-01T00:00:00."
    "000Z"
    "\",\"created_by_ref\":\"" FROM "\",\"name\":\"C2 server\",\"pattern\":\"[ipv4-addr:value = "
    "'198.51.100.3']\",\"pattern_type\":\"stix\",\"valid_from\":\"2026-09-01T00:00:00Z\","
    "\"object_marking_refs\":[\"marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb\"]}";

int main(void)
{
    static const slice both[] = {S(FROM), S(TO)};
    CLEANUP(json_parser_free) struct json_parser *first = NULL;
    CLEANUP(json_parser_free) struct json_parser *second = NULL;
    CLEANUP(arena_free) struct arena terms = ARENA(1 << 20), arena = ARENA(1 << 20);
    struct decide_request request = {.provider = SLICE(FROM),
                                     .recipient = SLICE(TO),
                                     .country = SLICE("ISR"),
                                     .now_us = 1795392000000000,
                                     .is_transit_encrypted = true,
                                     .is_rest_encrypted = true};
    struct json_doc docs[2];
    struct agreement agreement;
    struct decision decision;

    if (failed(json_parser_new(JSON_DEPTH_MAX, &first, NULL)) ||
        failed(json_parser_new(JSON_DEPTH_MAX, &second, NULL)) ||
        failed(json_parse_copy(first, slice_text(agreement_text), &docs[0], NULL)) ||
        failed(json_parse_copy(second, slice_text(object_text), &docs[1], NULL)))
        return 1;
    agreement_read((struct value){&docs[0], docs[0].nodes}, (struct texts){both, 2}, &terms,
                   &agreement);
    uint64_t took_ns[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start_ns = time_mono_ns();

        for (int i = 0; i < DECISIONS; i++) {
            arena_reset(&arena);
            agreement_decide(&agreement, (struct value){&docs[1], docs[1].nodes}, &request, &arena,
                             &decision);
            if (decision.verdict != VERDICT_SHARE)
                return 1;
        }
        uint64_t took = time_mono_ns() - start_ns;
        int at = round;

        for (; at > 0 && took_ns[at - 1] > took; at--)
            took_ns[at] = took_ns[at - 1];
        took_ns[at] = took;
    }
    double median_ns = (double)took_ns[ROUNDS / 2];
    (void)printf(
        "{\"bench\":\"decide\",\"case\":\"indicator, TLP:GREEN, share\",\"decisions_per_s\":"
        "%.0f,\"ns_each\":%.1f,\"of\":\"median of %d\"}\n",
        1e9 * DECISIONS / median_ns, median_ns / DECISIONS, ROUNDS);
    return 0;
}
