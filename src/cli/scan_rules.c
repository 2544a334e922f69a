#include "cli/scan.h"

#include <inttypes.h>

#include "base/time.h"

#include "base/banned.h"

#define REPORTS_MAX 10 /* of wrong indicators; more are counted */

static const struct {
    slice word;
    enum rule_tlp tlp;
} tlps[] = {
    {S("clear"), RULE_TLP_CLEAR},
    {S("white"), RULE_TLP_CLEAR},
    {S("green"), RULE_TLP_GREEN},
    {S("amber"), RULE_TLP_AMBER},
    {S("amber+strict"), RULE_TLP_AMBER_STRICT},
    {S("red"), RULE_TLP_RED},
};

bool scan_tlp_parse(slice word, enum rule_tlp *out)
{
    slice bare = slice_eq_nocase(slice_head(word, 4), SLICE("tlp:")) ? slice_from(word, 4) : word;

    for (size_t i = 0; i < sizeof(tlps) / sizeof(tlps[0]); i++) {
        if (slice_eq_nocase(bare, tlps[i].word)) {
            *out = tlps[i].tlp;
            return true;
        }
    }
    return false;
}

const char *scan_tlp_name(enum rule_tlp tlp)
{
    static const char *const names[] = {
        [RULE_TLP_CLEAR] = "clear", [RULE_TLP_GREEN] = "green",
        [RULE_TLP_AMBER] = "amber", [RULE_TLP_AMBER_STRICT] = "amber+strict",
        [RULE_TLP_RED] = "red",
    };

    return tlp == RULE_TLP_NONE ? NULL : names[tlp];
}

struct loading {
    const struct cli *cli;
    struct allow *allow; /* owned; NULL: no warning lists */
    uint64_t reported;
};

static void loading_free(struct loading *loading)
{
    allow_free(&loading->allow);
}

static void rule_report(void *context, slice source, const char *place, enum rules_reason reason,
                        const char *words)
{
    struct loading *loading = context;

    if (loading->cli->quiet || (reason != RULES_WRONG && reason != RULES_LIMIT))
        return; /* those of others' languages, expired ones and the like are only counted */
    if (loading->reported++ < REPORTS_MAX)
        (void)cli_fail(0, "%.*s: %s: %s", SLICE_ARG(source), place, words);
    else if (loading->reported == REPORTS_MAX + 1)
        (void)cli_fail(0, "%.*s: more indicators cannot be run; --summary counts them",
                       SLICE_ARG(source));
}

static bool is_allowed(void *context, slice path, slice value)
{
    const struct loading *loading = context;

    return loading->allow != NULL && allow_covers(loading->allow, path, value, NULL);
}

static int choice_read(struct loading *loading, struct rules_choice *choice)
{
    const struct cli *cli = loading->cli;
    const char *tlp = cli_value(cli, "max-tlp");
    size_t confidence;
    int code = cli_count(cli, "min-confidence", 0, 100, 0, &confidence);

    *choice = (struct rules_choice){
        .now_us = time_now_us(),
        .exact_domains = cli_has(cli, "exact-domains"),
        .suffixes_hit = cli_has(cli, "public-suffixes"),
        .cidr_contains = cli_has(cli, "networks-contain"),
        .keep_expired = cli_has(cli, "expired"),
        .confidence_least = (int)confidence,
        .is_allowed = is_allowed,
        .report = rule_report,
        .context = loading,
    };
    if (code == CLI_OK && tlp != NULL && !scan_tlp_parse(slice_text(tlp), &choice->tlp_most))
        code = cli_misused(
            cli, "--max-tlp = \"%s\": takes clear, green, amber, amber+strict or red", tlp);
    return code;
}

static result named_add(const struct cli *cli, struct ruleset_builder *builder, struct diag *diag)
{
    const char *value;

    for (size_t i = 0; (value = cli_value_at(cli, "indicators", i)) != NULL; i++) {
        CLEANUP(source_close) struct source *source = NULL;

        TRY(source_open(value, &source, diag));
        TRY(rules_add_source(builder, slice_text(value), source, diag));
    }
    for (size_t i = 0; (value = cli_value_at(cli, "pattern", i)) != NULL; i++)
        TRY(diag_within(diag,
                        rules_add_pattern(builder, SLICE("--pattern"), slice_text(value), diag),
                        "--pattern"));
    return OK;
}

/* The node is asked when nothing else is named, or it is as well. */
static result node_add(const struct node *node, struct ruleset_builder *builder, struct diag *diag)
{
    CLEANUP(store_view_end) struct store_view view = {0};

    store_view_begin(node->store, &view, diag);
    return rules_add_store(builder, SLICE("node"), &view, diag);
}

/* Warning lists first: they hold for what is named as well. */
static result all_add(struct loading *loading, const struct node *node,
                      struct ruleset_builder *builder, struct diag *diag)
{
    if (node == NULL)
        return named_add(loading->cli, builder, diag);
    struct allow_place place = node_allow(node);
    TRY(allow_load(&place, &loading->allow, diag));
    TRY(named_add(loading->cli, builder, diag));
    return node_add(node, builder, diag);
}

/* A hit that is missed for a warning list should surprise nobody. */
static void allowed_tell(const struct loading *loading, const struct rules_counts *counts)
{
    const char *before = "";

    if (loading->cli->quiet || counts->of[RULES_ALLOWED] == 0)
        return;
    (void)fprintf(stderr, "indicators not run: %" PRIu64 " on warning lists (",
                  counts->of[RULES_ALLOWED]);
    for (size_t i = 0; i < allow_list_count(loading->allow); i++) {
        uint64_t covered;
        slice name = allow_list_name(loading->allow, i, &covered);

        if (covered == 0)
            continue;
        (void)fprintf(stderr, "%s\"", before);
        cli_print_text(stderr, name);
        (void)fprintf(stderr, "\": %" PRIu64 " values", covered);
        before = ", ";
    }
    (void)fputs(")\n", stderr);
}

static int nothing_to_run(const struct cli *cli, const struct rules_counts *counts)
{
    CLEANUP(buf_free) struct buf why = BUF(4096);
    bool is_node = !cli_has(cli, "indicators") && !cli_has(cli, "pattern");

    for (int i = RULES_RUN + 1; i < RULES_REASON_COUNT; i++)
        if (counts->of[i] > 0)
            buf_printf(&why, "%s%" PRIu64 " %s", why.len > 0 ? ", " : "", counts->of[i],
                       rules_reason_name((enum rules_reason)i));
    if (why.len > 0)
        return cli_fail(SCAN_ERROR, "no indicator that can be run (%.*s)",
                        SLICE_ARG(buf_slice(&why)));
    return cli_fail(SCAN_ERROR, "%s%s", is_node ? "the node holds no indicators" : "no indicators",
                    is_node ? "; --indicators or --pattern names some" : " in what was named");
}

int scan_rules_load(struct cli *cli, struct node *node, struct ruleset **set)
{
    CLEANUP(node_close) struct node own = {0};
    CLEANUP(ruleset_builder_free) struct ruleset_builder *builder = NULL;
    CLEANUP(loading_free) struct loading loading = {.cli = cli};
    bool is_named = cli_has(cli, "indicators") || cli_has(cli, "pattern");
    bool is_asked = !is_named || cli_has(cli, "folder"); /* the node, for its indicators */
    struct rules_choice choice;
    struct diag diag = {0};

    *set = NULL;
    if (choice_read(&loading, &choice) != CLI_OK)
        return SCAN_ERROR;
    if (is_asked && node == NULL) {
        if (cli_node_open(cli, true, &own) != CLI_OK)
            return SCAN_ERROR;
        node = &own;
    }
    if (failed(ruleset_builder_new(&choice, &builder, &diag)) ||
        failed(all_add(&loading, is_asked ? node : NULL, builder, &diag)))
        return cli_fail(SCAN_ERROR, "%s", diag.text);
    allowed_tell(&loading, rules_counts(builder));
    if (rules_counts(builder)->of[RULES_RUN] == 0 && !cli_has(cli, "record"))
        return nothing_to_run(cli, rules_counts(builder));
    if (failed(ruleset_build(builder, set, &diag)))
        return cli_fail(SCAN_ERROR, "%s", diag.text);
    if (ruleset_count(*set) == 0 && !cli_has(cli, "record")) {
        ruleset_release(set);
        return nothing_to_run(cli, rules_counts(builder));
    }
    return 0;
}
