/* Rules from patterns, lists or bundles, a text read by a format, and what hits. */
#pragma once

#include "base/buf.h"
#include "base/crypto.h"
#include "rows.h"
#include "scan/detector.h"

#define NOW_US 1767225600000000 /* 2026-01-01T00:00:00Z */

/* A ruleset of one pattern. */
static inline struct ruleset *pattern_rules(slice pattern, const struct rules_choice *choice)
{
    CLEANUP(ruleset_builder_free) struct ruleset_builder *builder = NULL;
    struct rules_choice plain = {.now_us = NOW_US};
    struct ruleset *set = NULL;
    struct diag diag = {0};

    assert_true(succeeded(crypto_start(NULL)));
    assert_true(succeeded(ruleset_builder_new(choice == NULL ? &plain : choice, &builder, &diag)));
    if (failed(rules_add_pattern(builder, SLICE("test"), pattern, &diag)))
        fail_msg("%.*s: %s", SLICE_ARG(pattern), diag.text);
    assert_true(succeeded(ruleset_build(builder, &set, &diag)));
    return set;
}

/* All of a file's text, as rules. */
static inline struct ruleset *file_rules(slice text, const struct rules_choice *choice,
                                         struct rules_counts *counts)
{
    CLEANUP(ruleset_builder_free) struct ruleset_builder *builder = NULL;
    CLEANUP(source_close) struct source *source = NULL;
    struct rules_choice plain = {.now_us = NOW_US};
    struct ruleset *set = NULL;
    struct diag diag = {0};

    assert_true(succeeded(crypto_start(NULL)));
    assert_true(succeeded(ruleset_builder_new(choice == NULL ? &plain : choice, &builder, &diag)));
    assert_true(succeeded(source_of_memory(text, &source, &diag)));
    if (failed(rules_add_source(builder, SLICE("test"), source, &diag)))
        fail_msg("%s", diag.text);
    if (counts != NULL)
        *counts = *rules_counts(builder);
    assert_true(succeeded(ruleset_build(builder, &set, &diag)));
    return set;
}

/* What of the text hits; *out is initialised, and settled. */
static inline void text_detect(const struct ruleset *set, slice format, slice text,
                               struct block_hits *out)
{
    CLEANUP(telemetry_reader_free) struct telemetry_reader *reader = NULL;
    CLEANUP(detector_worker_free) struct detector_worker *worker = NULL;
    CLEANUP(detector_state_free) struct detector_state *state = NULL;
    slice lines[16], rest = text;
    size_t count = 0;

    block_hits_init(out);
    while (count < 16 && rest.len > 0)
        (void)slice_cut(rest, '\n', &lines[count++], &rest);
    if (format.len == 0)
        format = telemetry_recognise(lines, count);
    assert_true(succeeded(telemetry_reader_new(format, NULL, NOW_US, &reader, NULL)));
    assert_true(succeeded(detector_worker_new(set, &worker, NULL)));
    assert_true(succeeded(detector_state_new(set, NOW_US, &state, NULL)));
    struct detector_block block = {.bytes = text,
                                   .line_number = 1,
                                   .reader = reader,
                                   .is_csv = slice_eq(format, SLICE("csv"))};
    assert_true(succeeded(detector_block(worker, &block, out, NULL)));
    assert_true(succeeded(detector_settle(state, out, NULL)));
}

static inline size_t text_hits(slice pattern, const struct rules_choice *choice, slice format,
                               slice text)
{
    CLEANUP(block_hits_free) struct block_hits hits;
    CLEANUP(ruleset_release) struct ruleset *set = pattern_rules(pattern, choice);

    text_detect(set, format, text, &hits);
    return hits.count;
}
